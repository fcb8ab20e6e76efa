internal import ClairoCore
internal import Foundation

/// Splits a byte stream into the parts of one object and sends them while more bytes arrive.
///
/// At most two parts are in memory. If the store is slower than the sender, `sendPart()` waits, and this back pressure
/// reaches the socket. While the sender pauses, the part being filled can be elsewhere. Owned by one task.
struct PartStream: Sendable {
    private static let partsInMemory = 2

    let store: any MultipartStore
    let upload: MultipartUpload
    /// The number of the part being filled, from 1.
    private(set) var number: Int
    private(set) var filling = Data()
    /// The bytes that are kept for probing the object once it is complete, or nil if none are.
    private(set) var passed: RetainedBytes?
    /// The store's receipts for the committed parts, in order.
    private(set) var receipts: [UploadedPart] = []
    private var inFlight: [Task<Result<UploadedPart, ClairoError>, Never>] = []

    /// - Parameters:
    ///   - number: The first part to send.
    ///   - filling: The bytes of that part that have already arrived.
    ///   - passed: Keeps bytes for probing, or nil to keep none.
    init(
        store: any MultipartStore, upload: MultipartUpload, number: Int = 1, filling: Data = Data(),
        passed: RetainedBytes? = nil
    ) {
        self.store = store
        self.upload = upload
        self.number = number
        self.filling = filling
        self.passed = passed
    }

    /// The number of bytes in committed parts, as long as all of them are full.
    var committedBytes: Int64 { upload.sizes.offset(ofPart: number - inFlight.count) }

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
        // Memory grows with what arrives, by doubling, and not beyond the part.
        let needed = capacity(for: data.count + count)
        if needed > capacity(for: data.count) { data.reserveCapacity(min(size, needed)) }
        data.append(base.assumingMemoryBound(to: UInt8.self), count: count)
        return count
    }

    /// The least power of two that is not below `count`, and not below 64 KiB.
    private static func capacity(for count: Int) -> Int {
        if count == 0 { return 0 }
        return max(64 << 10, 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount))
    }

    /// Gives memory back while no part is in flight: the bytes kept for probing, and the part being filled if it has
    /// more than `kept` bytes.
    /// - Returns: The bytes of the part, to be given to `putBack`, or nil if they are still here.
    mutating func release(keeping kept: Int) -> Data? {
        passed?.release()
        guard filling.count > kept else { return nil }
        defer { filling = Data() }
        return filling
    }

    mutating func putBack(_ data: Data) { filling = data }

    /// Sends the part being filled, which may be short if it is the last one, and waits until another part fits in
    /// memory.
    mutating func sendPart() async throws(ClairoError) {
        let (store, upload, data, number) = (store, upload, filling, number)
        passed?.keep(data, at: upload.sizes.offset(ofPart: number))
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
