public import ClairoCore
internal import Curl
public import Foundation

extension S3Store {
    public func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void)
        throws
    {
        try put(at: key, length: nil, writing: body)
    }

    public func put(
        at key: ObjectKey, length: Int64?, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void
    ) throws {
        let stop = Cancellation()
        func write() throws {
            let writer = S3Writer(self, key, length: length, stop: stop)
            do {
                try body { (data: Data) throws(ClairoError) in try writer.write(data) }
                try writer.finish()
            } catch {
                writer.abandon()
                throw error
            }
        }
        if let cancellation = transport.cancellation {
            try cancellation.notifying({ stop.cancel() }, while: write)
        } else {
            try write()
        }
    }
}

/// An object written piece by piece. A small object is sent with a single PUT. Otherwise, parts are sent on separate
/// threads while the next one is filled. Their number is limited, which bounds memory.
///
/// If the length is unknown, the first parts are equal and later ones grow (`PartSizes`). Used by one thread.
private final class S3Writer {
    private let store: S3Store
    private let key: ObjectKey
    private let stop: Cancellation
    private let sizes: PartSizes
    private let requests = RequestGroup<UploadedPart>(name: "s3 part")
    private var upload: MultipartUpload?
    private var buffer = Data()
    private var next = 1

    init(_ store: S3Store, _ key: ObjectKey, length: Int64?, stop: Cancellation) {
        self.store = store
        self.key = key
        self.stop = stop
        let smallest = store.transport.options.partSize
        sizes =
            length.map { PartSizes(forLength: $0, atLeast: smallest) } ?? PartSizes(growingFrom: smallest)
    }

    private var options: S3Options { store.transport.options }

    /// The size of the part being filled.
    private var partSize: Int { sizes.size(ofPart: next) }

    func write(_ data: Data) throws(ClairoError) {
        var rest = data[...]
        while !rest.isEmpty {
            // A full part is sent only when more bytes follow, because it may be the whole object.
            if buffer.count == partSize { try sendPart() }
            if buffer.isEmpty { buffer.reserveCapacity(min(partSize, max(rest.count, 1 << 20))) }
            let count = min(partSize - buffer.count, rest.count)
            if buffer.isEmpty, count == partSize, rest.count == data.count {
                buffer = rest.prefix(count)
            } else {
                buffer.append(rest.prefix(count))
            }
            rest = rest.dropFirst(count)
        }
    }

    func finish() throws(ClairoError) {
        guard upload != nil else { return try store.put(buffer, at: key) }
        if !buffer.isEmpty { try sendPart() }
        let parts = try requests.wait().sorted { $0.number < $1.number }
        guard let upload else { return }
        _ = try store.complete(upload, parts: parts)
    }

    /// Cancels pending parts, waits for them, and aborts the upload.
    func abandon() {
        guard let upload else { return }
        stop.cancel()
        _ = try? requests.wait()
        // Incomplete uploads cost money. If the abort fails, the bucket's lifecycle rule removes the upload.
        try? store.abort(upload)
    }

    private func sendPart() throws(ClairoError) {
        if upload == nil { upload = try store.beginUpload(at: key, sizes: sizes, sender: .thisProcess) }
        guard let upload else { return }
        let (part, number) = (buffer, next)
        let limit = max(1, min(options.parallelParts, options.partMemory / partSize - 1))
        next += 1
        buffer = Data()
        try requests.start(atMost: limit) { [store, stop] () throws(ClairoError) in
            try store.putPart(part, number: number, of: upload, cancellation: stop)
        }
    }
}
