internal import ClairoCore
internal import Foundation

/// Splits a byte stream into the parts of one object and sends them while more bytes arrive.
///
/// At most two parts are in memory. If the store is slower than the sender, `sendPart()` waits, and this back pressure
/// reaches the socket. Owned by one task.
struct PartStream: Sendable {
    private static let partsInMemory = 2

    let store: any MultipartStore
    let upload: MultipartUpload
    /// The number of the part being filled, from 1.
    private(set) var number: Int
    private(set) var filling = Data()
    /// The bytes that are kept for probing the object once it is complete.
    private(set) var passed = RetainedBytes()
    /// The store's receipts for the committed parts, in order.
    private(set) var receipts: [UploadedPart] = []
    private var inFlight: [Task<Result<UploadedPart, ClairoError>, Never>] = []

    /// - Parameters:
    ///   - number: The first part to send.
    ///   - filling: The bytes of that part that have already arrived.
    init(store: any MultipartStore, upload: MultipartUpload, number: Int = 1, filling: Data = Data()) {
        self.store = store
        self.upload = upload
        self.number = number
        self.filling = filling
    }

    var isPartFull: Bool { filling.count == partSize }

    /// The size of the part being filled.
    private var partSize: Int { upload.sizes.size(ofPart: number) }

    /// Consumes as many of the first bytes as fit into the part.
    /// - Returns: The number of bytes consumed.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        Self.fill(&filling, to: partSize, from: bytes)
    }

    static func fill(_ data: inout Data, to size: Int, from bytes: UnsafeRawBufferPointer) -> Int {
        let count = min(bytes.count, size - data.count)
        guard count > 0, let base = bytes.baseAddress else { return 0 }
        if data.isEmpty { data = Data(capacity: size) }
        data.append(base.assumingMemoryBound(to: UInt8.self), count: count)
        return count
    }

    /// Sends the part being filled, which may be short if it is the last one, and waits until another part fits in
    /// memory.
    mutating func sendPart() async throws(ClairoError) {
        let (store, upload, data, number) = (store, upload, filling, number)
        passed.keep(data, at: upload.sizes.offset(ofPart: number))
        filling = Data()
        self.number += 1
        inFlight.append(
            Task {
                await onDedicatedThread(name: "send part") {
                    Result { () throws(ClairoError) in try store.putPart(data, number: number, of: upload) }
                }
            })
        if inFlight.count == Self.partsInMemory { try await settleOldest() }
    }

    /// Waits until all sent parts are committed.
    mutating func settle() async throws(ClairoError) {
        while !inFlight.isEmpty { try await settleOldest() }
    }

    /// Waits until no part is in flight, whatever the outcome.
    mutating func rest() async {
        for task in inFlight { _ = await task.value }
        inFlight = []
    }

    private mutating func settleOldest() async throws(ClairoError) {
        receipts.append(try await inFlight.removeFirst().value.get())
    }
}
