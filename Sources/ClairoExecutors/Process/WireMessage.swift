internal import ClairoCore
internal import Foundation

// The protocol between a task's process and its parent over a socket pair.
//
// A message has a kind, the number of the request that it belongs to, a head in JSON and a payload of raw bytes. The
// parent sends `start`. Then the child sends any number of `request`, `progress` and `update` messages, and one
// `result` or `failure`, which ends the connection. The parent replies to each `request` with one `answer`. The child
// may be under an attacker's control, so the parent checks every length before reading and validates every message.

/// One message.
struct WireMessage: Sendable {
    enum Kind: UInt8, Sendable { case start = 1, request, answer, progress, result, failure, update }

    var kind: Kind
    /// The number of the request; 0 for other messages.
    var id: UInt32 = 0
    var head = Data()
    var payload = Data()

    init(_ kind: Kind, id: UInt32 = 0, head: some Encodable, payload: Data = Data()) throws(ClairoError) {
        self.kind = kind
        self.id = id
        self.payload = payload
        do {
            self.head = try JSON.encode(head, pretty: false)
        } catch {
            throw .defect("A message between processes cannot be encoded: \(error)")
        }
    }

    init(kind: Kind, id: UInt32, head: Data, payload: Data) {
        self.kind = kind
        self.id = id
        self.head = head
        self.payload = payload
    }

    func decodeHead<T: Decodable>(as type: T.Type = T.self) throws(BrokenProtocol) -> T {
        do {
            return try JSONDecoder().decode(type, from: head)
        } catch {
            throw BrokenProtocol(reason: "an unreadable message of kind \(kind)")
        }
    }
}

/// The other side violated the protocol.
struct BrokenProtocol: Error {
    var reason: String
}

/// Maximum sizes of head and payload in bytes.
struct WireLimits: Sendable {
    var head: Int
    var payload: Int

    /// The maximum size of one piece. Longer objects are sent in several pieces.
    static let piece = 8 << 20
    /// The maximum size of an object that is read whole.
    static let whole = 1 << 30

    /// The limits for messages from the child.
    static func fromChild(_ kind: WireMessage.Kind) -> WireLimits? {
        switch kind {
        case .request: WireLimits(head: 8 << 10, payload: piece)
        case .progress: WireLimits(head: 1 << 10, payload: 0)
        case .update: WireLimits(head: 8 << 10, payload: 0)
        // The plan of a video of two days has the boundaries of each segment of each track, and its verification has
        // several checks of each.
        case .result: WireLimits(head: 64 << 20, payload: 0)
        case .failure: WireLimits(head: 64 << 10, payload: 0)
        case .start, .answer: nil
        }
    }

    /// The limits for messages from the parent.
    static func fromParent(_ kind: WireMessage.Kind) -> WireLimits? {
        switch kind {
        case .start, .answer: WireLimits(head: 1 << 30, payload: whole)
        case .request, .progress, .result, .failure, .update: nil
        }
    }
}

/// The head of `start`: the complete description of a task.
struct StartHead: Codable {
    var spec: TaskSpec
    /// Nil if the task reads no source.
    var sourceSize: Int64?
    var sourceETag: String?
}

/// The head of `request`.
struct RequestHead: Codable {
    enum Operation: String, Codable {
        /// Reads the source: `offset`, `count`.
        case source
        /// Writes a whole object: `key`, payload.
        case put
        /// Writes an object in pieces. `beginPut` takes `key` and, if known, `length`, and returns a `handle`, which the others take; `writePut`
        /// also takes the payload.
        case beginPut, writePut, endPut, abortPut
        /// Reads a whole object: `key`. The bytes are the reply's payload.
        case get
        /// Reads an object in pieces. `open` takes `key` and returns a `handle` and `size`; `read` takes `handle`,
        /// `offset` and `count`; `close` takes `handle`.
        case open, read, close
        /// Returns the information of an object: `key`.
        case info
        /// Returns the size and checksum of the stored bytes of an object: `key`.
        case record
        /// Deletes objects: `keys`.
        case delete
        /// Lists keys with `prefix`, from the first one after `key`, at most `count`.
        case list
    }

    var operation: Operation
    var key: ObjectKey?
    var keys: [ObjectKey]?
    var prefix: String?
    var offset: Int64?
    var count: Int?
    var length: Int64?
    var handle: Int?
}

/// The head of `answer`.
struct AnswerHead: Codable {
    var failure: FailureHead?
    var handle: Int?
    var size: Int64?
    var etag: String?
    var modified: Timestamp?
    var sha256: String?
    var keys: [ObjectKey]?
}

/// The head of `progress`.
struct ProgressHead: Codable {
    var frames: Int
}

/// A `ClairoError`: the head of `failure`, and the error in a reply.
struct FailureHead: Codable {
    var kind: ClairoError.Kind
    var exitCode: ClairoError.ExitCode
    var message: String
    var advice: String?

    init(_ error: ClairoError) {
        kind = error.kind
        exitCode = error.exitCode
        message = String(error.message.prefix(4000))
        advice = error.advice.map { String($0.prefix(4000)) }
    }

    var error: ClairoError { ClairoError(kind: kind, exitCode: exitCode, message, advice: advice) }
}
