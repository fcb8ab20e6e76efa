internal import AWSClient
internal import AWSSigning
internal import ClairoCore
internal import Curl
internal import Foundation

/// An object read in ranges over a network. Recently used blocks are cached. A read of the block after a cached one
/// counts as sequential: each such request is twice as long as the previous one, and the next one is sent ahead on a
/// separate thread. So reading the index at the end of a file costs one block, a whole file is read at network speed,
/// and several readers of one file do not disturb each other.
///
/// All ranges belong to the opened version of the object. If it is replaced, reading fails.
///
/// `@unchecked Sendable`: all mutable state is guarded by `condition`.
final class RangeSource: ByteSource, @unchecked Sendable {
    let size: Int64
    private let name: String
    private let version: String
    private let options: S3Options
    private let presign: @Sendable (Int) throws(ClairoError) -> String?
    private let fetch: @Sendable (Range<Int64>) throws(ClairoError) -> Data
    private let condition = NSCondition()
    private var blocks: [Int: Block] = [:]
    /// The indexes of blocks that are being fetched.
    private var expected: Set<Int> = []
    private var uses = 0

    private struct Block {
        var bytes: Data
        /// The number of blocks in the request that fetched it.
        var run: Int
        /// The index of the first block after that request.
        var end: Int
        var lastUse: Int
    }

    /// - Parameters:
    ///   - name: The name of the object in errors.
    ///   - presign: Returns a presigned URL that is valid for the given number of seconds.
    ///   - fetch: Fetches a complete range of this version of the object. Blocks.
    init(
        name: String, size: Int64, etag: String, options: S3Options = S3Options(),
        presign: @escaping @Sendable (Int) throws(ClairoError) -> String? = { _ in nil },
        fetch: @escaping @Sendable (Range<Int64>) throws(ClairoError) -> Data
    ) {
        self.name = name
        self.size = size
        self.options = options
        self.presign = presign
        self.fetch = fetch
        version = etag
    }

    var etag: String? { version }

    func presignedURL(expiresIn seconds: Int) throws(ClairoError) -> String? { try presign(seconds) }

    private var blockSize: Int { options.blockSize }
    private var blockCount: Int { Int(max(size - 1, 0) / Int64(blockSize)) + (size > 0 ? 1 : 0) }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        guard offset >= 0, offset < size, !buffer.isEmpty else { return 0 }
        let index = Int(offset / Int64(blockSize))
        let bytes = try block(index)
        let start = bytes.startIndex + Int(offset - Int64(index) * Int64(blockSize))
        let count = min(buffer.count, bytes.endIndex - start)
        bytes.copyBytes(to: buffer, from: start..<start + count)
        return count
    }

    private func block(_ index: Int) throws(ClairoError) -> Data {
        condition.lock()
        while true {
            if let block = blocks[index] {
                uses += 1
                blocks[index]?.lastUse = uses
                let ahead = block.run > 1 ? reserve(from: block.end, run: block.run * 2) : nil
                condition.unlock()
                if let ahead {
                    let thread = Thread { [self] in
                        Thread.current.name = "s3 read-ahead"
                        // Errors of a read-ahead are ignored: if the block is needed, it is fetched again and the error
                        // is reported.
                        _ = try? get(ahead.range, run: ahead.run)
                    }
                    thread.start()
                }
                return block.bytes
            }
            if !expected.contains(index) { break }
            condition.wait()
        }
        let wanted = reserve(from: index, run: (blocks[index - 1]?.run ?? 0) * 2)
        condition.unlock()
        guard let wanted else { throw .defect("Block \(index) of \(name) is neither cached nor missing") }
        let fetched = try get(wanted.range, run: wanted.run)
        return fetched
    }

    /// Marks up to `run` missing blocks as being fetched. Called with the lock held.
    private func reserve(from first: Int, run: Int) -> (range: Range<Int>, run: Int)? {
        let run = min(max(1, run), options.readAhead)
        var end = first
        while end < blockCount, end - first < run, blocks[end] == nil, !expected.contains(end) { end += 1 }
        guard end > first else { return nil }
        expected.formUnion(first..<end)
        return (first..<end, run)
    }

    /// Fetches reserved blocks and returns the first.
    private func get(_ range: Range<Int>, run: Int) throws(ClairoError) -> Data {
        let start = Int64(range.lowerBound) * Int64(blockSize)
        let end = min(Int64(range.upperBound) * Int64(blockSize), size)
        let result = Result { () throws(ClairoError) in try fetch(start..<end) }
        condition.lock()
        defer {
            condition.broadcast()
            condition.unlock()
        }
        expected.subtract(range)
        let bytes = try result.get()
        var first = Data()
        for index in range {
            let from = bytes.startIndex + Int(Int64(index) * Int64(blockSize) - start)
            // Copied, so that a block does not retain the whole reply.
            let piece = Data(bytes[from..<min(from + blockSize, bytes.endIndex)])
            if index == range.lowerBound { first = piece }
            uses += 1
            blocks[index] = Block(bytes: piece, run: run, end: range.upperBound, lastUse: uses)
        }
        while blocks.count > max(options.cachedBlocks, run),
            let oldest = blocks.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            blocks[oldest.key] = nil
        }
        return first
    }
}

extension S3Transport {
    /// Fetches a range of the object with this size and ETag.
    func range(
        _ range: Range<Int64>, of path: String, name: String, size: Int64, etag: String
    ) throws(ClairoError) -> Data {
        var request = S3Request("GET", path)
        request.headers = RangeReply.headers(range, etag: etag).map { AWSRequest.Header($0, $1) }
        request.expected = Int(range.count)
        // Allows for an error document.
        request.limit = max(Int(range.count), 64 << 10)
        do {
            let reply = try send(request)
            guard RangeReply.isWanted(reply.head, range, size: size, etag: etag) else {
                throw RangeReply.replaced(name)
            }
            return reply.body
        } catch let failure as AWSFailure {
            if failure.status == 412 || failure.status == 416 { throw RangeReply.replaced(name) }
            throw failure.error("Reading \(name)", self)
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .defect("Reading \(name): \(error)")
        }
    }
}

/// The headers of a range request, and the check of its reply.
enum RangeReply {
    static func headers(_ range: Range<Int64>, etag: String) -> [(String, String)] {
        [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)"), ("If-Match", "\"\(etag)\"")]
    }

    static func isWanted(_ head: HTTPHead, _ range: Range<Int64>, size: Int64, etag: String) -> Bool {
        let isWhole = head.status == 200 && range.count == size
        let isRange = head.headers["Content-Range"] == "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
        return (isWhole || isRange) && S3Store.bare(head.headers["ETag"] ?? etag) == etag
    }

    static func replaced(_ name: String) -> ClairoError {
        .inputOutput("Reading \(name): it has been replaced", advice: "Run the same command again.")
    }
}
