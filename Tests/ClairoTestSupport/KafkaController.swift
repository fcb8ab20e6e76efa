internal import Foundation
internal import Synchronization

/// A controller that can create topics, which the mock cluster cannot. It is a proxy in front of one mock broker and
/// forwards everything else.
///
/// A client that is given its address learns that CreateTopics is supported and by which broker: the mock cluster names
/// broker 0 as the controller, but has no such broker. The client finds the other brokers itself. Source:
/// https://kafka.apache.org/protocol, in the versions before the flexible ones.
public final class KafkaController: Sendable {
    /// A topic that a client wants to create. -1 means the cluster's default.
    public struct Order: Sendable, Hashable {
        public var name: String
        public var partitions: Int32
        public var replication: Int16

        public init(name: String, partitions: Int32, replication: Int16) {
            self.name = name
            self.partitions = partitions
            self.replication = replication
        }
    }

    public struct Refusal: Sendable {
        public var code: KafkaCluster.Code
        public var words: String

        public init(_ code: KafkaCluster.Code, _ words: String) {
            self.code = code
            self.words = words
        }
    }

    private struct State {
        var orders: [Order] = []
        var refusal: Refusal?
    }

    private static let createTopics: Int16 = 19
    private static let apiVersions: Int16 = 18

    private let cluster: KafkaCluster
    private let listener: Listener
    private let upstream: UInt16
    private let state = Mutex(State())

    public init(of cluster: KafkaCluster) throws {
        guard let first = cluster.brokers.split(separator: ",").first, let port = first.split(separator: ":").last,
            let upstream = UInt16(port)
        else { throw ConnectionError(what: "find a broker in \(cluster.brokers)", code: EINVAL) }
        self.cluster = cluster
        self.upstream = upstream
        listener = try Listener()
        listener.start { [weak self] client in
            guard let server = try? Connection.open(port: upstream) else { return }
            while let request = client.readFrame(), let answer = self?.answer(request, server) {
                guard client.writeFrame(answer) else { return }
            }
        }
    }

    deinit { listener.stop() }

    /// The value for `bootstrap.servers`.
    public var brokers: String { "127.0.0.1:\(listener.port)" }

    /// Topics that clients wanted to create, in order.
    public var orders: [Order] { state.withLock { $0.orders } }

    /// Refuses to create topics from now on, or stops refusing (nil).
    public func refuse(_ refusal: Refusal?) { state.withLock { $0.refusal = refusal } }

    // MARK: Connection thread

    /// - Returns: Nil to end the connection.
    private func answer(_ request: Data, _ server: Connection) -> Data? {
        var reader = Reader(request)
        guard let api: Int16 = reader.integer(), let version: Int16 = reader.integer() else { return nil }
        if api == Self.createTopics { return makeTopics(&reader, version) }
        guard server.writeFrame(request), let answer = server.readFrame() else { return nil }
        switch (api, version) {
        // The mock cluster rejects newer versions.
        case (Self.apiVersions, ..<3):
            // Correlation id and error code, then key, lowest and highest version of each API.
            return answer.adding(Self.createTopics.bytes + Int16(0).bytes + Int16(4).bytes, toArrayAt: 6)
        case (Int16(KafkaCluster.API.metadata.rawValue), 1...2):
            // Correlation id, then id, host, port and rack of each broker.
            let itself = Int32(0).bytes + "127.0.0.1".bytes + Int32(listener.port).bytes + Int16(-1).bytes
            return answer.adding(itself, toArrayAt: 4)
        default: return answer
        }
    }

    private func makeTopics(_ reader: inout Reader, _ version: Int16) -> Data? {
        guard let correlation: Int32 = reader.integer(), reader.string() != nil, let count: Int32 = reader.integer()
        else { return nil }
        var results = Data()
        for _ in 0..<count {
            guard let order = reader.order() else { return nil }
            let refusal = make(order)
            results += order.name.bytes + Int16(refusal?.code.rawValue ?? 0).bytes
            if version >= 1 { results += refusal?.words.bytes ?? Int16(-1).bytes }
        }
        let throttle = version >= 2 ? Int32(0).bytes : Data()
        return correlation.bytes + throttle + count.bytes + results
    }

    /// - Returns: Why the topic was not created, or nil.
    private func make(_ order: Order) -> Refusal? {
        let refusal = state.withLock { state in
            state.orders.append(order)
            return state.refusal
        }
        if let refusal { return refusal }
        let made = Mutex<Refusal?>(nil)
        let ready = DispatchSemaphore(value: 0)
        Task {
            do {
                _ = try await cluster.makeTopic(order.name, partitions: Int(order.partitions))
            } catch {
                made.withLock { $0 = Refusal(.topicAlreadyExists, "\(error)") }
            }
            ready.signal()
        }
        ready.wait()
        return made.withLock { $0 }
    }
}

/// Reads big-endian protocol fields. Returns nil at the end of the data.
private struct Reader {
    private var rest: Data

    init(_ data: Data) { rest = data }

    mutating func integer<N: FixedWidthInteger>() -> N? {
        take(MemoryLayout<N>.size)?.reduce(0) { $0 << 8 | N(truncatingIfNeeded: $1) }
    }

    mutating func string() -> String? {
        guard let size: Int16 = integer(), size >= 0 else { return nil }
        return take(Int(size)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A topic of a CreateTopics request. Requests with replica assignments or properties are not supported.
    mutating func order() -> KafkaController.Order? {
        guard let name = string(), let partitions: Int32 = integer(), let replication: Int16 = integer(),
            let assignments: Int32 = integer(), assignments == 0, let properties: Int32 = integer(), properties == 0
        else { return nil }
        return KafkaController.Order(name: name, partitions: partitions, replication: replication)
    }

    private mutating func take(_ count: Int) -> Data? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}

extension FixedWidthInteger {
    fileprivate var bytes: Data { withUnsafeBytes(of: bigEndian) { Data($0) } }
}

extension String {
    fileprivate var bytes: Data { Int16(utf8.count).bytes + Data(utf8) }
}

extension Data {
    /// Inserts an element at the front of the array whose length is at `offset`.
    fileprivate func adding(_ element: Data, toArrayAt offset: Int) -> Data? {
        var reader = Reader(dropFirst(offset))
        guard let count: Int32 = reader.integer() else { return nil }
        return prefix(offset) + (count + 1).bytes + element + dropFirst(offset + 4)
    }
}

extension Connection {
    /// A request or reply, without its length prefix.
    fileprivate func readFrame() -> Data? {
        guard let head = readWhole(4) else { return nil }
        var reader = Reader(head)
        guard let size: Int32 = reader.integer(), size >= 0 else { return nil }
        return readWhole(Int(size))
    }

    fileprivate func writeFrame(_ frame: Data) -> Bool { write(Int32(frame.count).bytes + frame) }

    private func readWhole(_ count: Int) -> Data? {
        var data = Data()
        while data.count < count {
            guard let more = read(atMost: count - data.count) else { return nil }
            data += more
        }
        return data
    }
}
