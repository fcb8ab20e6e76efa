internal import ClairoCore
internal import Foundation

/// Cuts bytes that pass by into the parts of one object and sends them while more arrive.
///
/// Two parts are in memory at most, on their way or filling. Whoever has the bytes waits in `sendPart()` where the store is
/// slower, and that back pressure reaches the socket. One task owns it.
struct PartStream: Sendable {
    private static let partsInMemory = 2

    let store: any ObjectStore
    let upload: MultipartUpload
    /// Of the part that fills, from 1.
    private(set) var number: Int
    private(set) var filling = Data()
    /// For who looks into the object when all of it has been sent.
    private(set) var passed = PassedBytes()
    /// What the store answered to the parts that are safe, in their order.
    private(set) var receipts: [UploadedPart] = []
    private var inFlight: [Task<UploadedPart, any Error>] = []

    /// - Parameters:
    ///   - number: of the part to begin with.
    ///   - filling: the bytes of that part which have come already.
    init(store: any ObjectStore, upload: MultipartUpload, number: Int = 1, filling: Data = Data()) {
        self.store = store
        self.upload = upload
        self.number = number
        self.filling = filling
    }

    var isPartFull: Bool { filling.count == upload.partSize }

    /// Takes the first of these bytes, as many as the part has room for.
    /// - Returns: how many.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        Self.fill(&filling, to: upload.partSize, from: bytes)
    }

    static func fill(_ data: inout Data, to size: Int, from bytes: UnsafeRawBufferPointer) -> Int {
        let count = min(bytes.count, size - data.count)
        guard count > 0, let base = bytes.baseAddress else { return 0 }
        if data.isEmpty { data = Data(capacity: size) }
        data.append(base.assumingMemoryBound(to: UInt8.self), count: count)
        return count
    }

    /// Sends what has filled, the whole part or the object's last one, and waits until there is room for another part.
    mutating func sendPart() async throws(ClairoError) {
        let (store, upload, data, number) = (store, upload, filling, number)
        passed.keep(data, at: Int64(number - 1) * Int64(upload.partSize))
        filling = Data()
        self.number += 1
        inFlight.append(
            Task {
                try await blocking("send part") { () throws(ClairoError) in
                    try store.putPart(data, number: number, of: upload)
                }
            })
        if inFlight.count == Self.partsInMemory { try await settleOldest() }
    }

    /// Waits until all parts that were sent are safe.
    mutating func settle() async throws(ClairoError) {
        while !inFlight.isEmpty { try await settleOldest() }
    }

    /// Waits until nothing is on its way any more, however it ended.
    mutating func rest() async {
        for task in inFlight { _ = try? await task.value }
        inFlight = []
    }

    private mutating func settleOldest() async throws(ClairoError) {
        let task = inFlight.removeFirst()
        do {
            receipts.append(try await task.value)
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .defect("Sending a part: \(error)")
        }
    }
}
