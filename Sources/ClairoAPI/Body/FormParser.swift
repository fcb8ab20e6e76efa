internal import Glibc
internal import NIOCore

/// An incremental multipart/form-data parser (RFC 7578, RFC 2046 section 5.1).
///
/// Add received bytes with `append`, call `next` until it returns nil, and repeat. Call `finish` at the end of the
/// body.
///
/// File bytes are returned as slices of the input. Only an incomplete header block or a possible boundary stays
/// buffered; `append` copies a piece only to join it to such bytes. The parser is strict: lines end in CR LF, header
/// lines are not folded, and anything that starts like a boundary is a boundary.
struct FormParser {
    enum Event: Equatable {
        case partBegan(FormPart)
        case bytes(ByteBuffer)
        case partEnded
    }

    /// The form is malformed. The message is for the client.
    struct Failure: Error, Equatable {
        var message: String
        init(_ message: String) { self.message = message }
    }

    private enum State {
        case preamble
        /// After a boundary: expects `--` or the end of the line.
        case boundaryEnd
        case headers
        case body
        case epilogue
    }

    /// The maximum size of a header block in bytes.
    static let longestHeaders = 16 << 10
    /// The maximum number of spaces and tabs after a boundary.
    static let longestPadding = 128

    /// CR LF, two hyphens and the boundary.
    private let delimiter: [UInt8]
    private var state = State.preamble
    /// Received bytes that are not parsed yet. Initially a line break: `delimiter` includes the line break before a
    /// boundary, which the first boundary may lack.
    private var pending = ByteBuffer(string: "\r\n")

    /// - Parameter contentType: The value of the request's Content-Type.
    /// - Throws: `Failure` if it has no valid boundary.
    init(contentType: String) throws(Failure) {
        guard let header = HeaderValue(contentType), let boundary = header.parameters["boundary"] else {
            throw Failure("The Content-Type has no boundary")
        }
        // RFC 2046, 5.1.1: 1 to 70 of these characters, not ending with a space.
        let others = Set("'()+_,-./:=? ".utf8)
        let isAllowed = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"):
                true
            default: others.contains(byte)
            }
        }
        guard (1...70).contains(boundary.utf8.count), boundary.utf8.allSatisfy(isAllowed), boundary.last != " " else {
            throw Failure("The boundary in the Content-Type is not valid")
        }
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    mutating func append(_ piece: ByteBuffer) {
        if pending.readableBytes == 0 {
            pending = piece
        } else {
            var piece = piece
            // Copy both into a new buffer: `pending` may be a slice that keeps a large buffer in memory.
            var joined = ByteBufferAllocator().buffer(capacity: pending.readableBytes + piece.readableBytes)
            joined.writeBuffer(&pending)
            joined.writeBuffer(&piece)
            pending = joined
        }
    }

    /// The next event, or nil if more bytes are needed.
    mutating func next() throws(Failure) -> Event? {
        while true {
            switch state {
            case .preamble:
                switch search() {
                case .found(let count):
                    pending.moveReaderIndex(forwardBy: count + delimiter.count)
                    state = .boundaryEnd
                case .absent(let count):
                    pending.moveReaderIndex(forwardBy: count)
                    return nil
                }
            case .boundaryEnd:
                guard let isLast = try boundaryEnd() else { return nil }
                state = isLast ? .epilogue : .headers
            case .headers:
                guard let part = try headers() else { return nil }
                state = .body
                return .partBegan(part)
            case .body:
                switch search() {
                case .found(0):
                    pending.moveReaderIndex(forwardBy: delimiter.count)
                    state = .boundaryEnd
                    return .partEnded
                case .found(let count), .absent(let count):
                    guard count > 0, let slice = pending.readSlice(length: count) else { return nil }
                    return .bytes(slice)
                }
            case .epilogue:
                pending.clear()
                return nil
            }
        }
    }

    /// Checks at the end of the body that the form is complete.
    func finish() throws(Failure) {
        guard case .epilogue = state else {
            throw Failure("The form ends before its last boundary")
        }
    }

    // MARK: Boundaries

    private enum Search {
        /// A boundary follows this number of bytes.
        case found(Int)
        /// No boundary starts within this number of bytes.
        case absent(Int)
    }

    private func search() -> Search {
        pending.withUnsafeReadableBytes { bytes in
            guard let base = bytes.baseAddress else { return .absent(0) }
            var start = 0
            while start < bytes.count, let place = memchr(base + start, 13, bytes.count - start) {
                start = UnsafeRawPointer(place) - base
                let length = min(delimiter.count, bytes.count - start)
                // A match cut off by the end of the buffer may be a boundary.
                if memcmp(base + start, delimiter, length) == 0 {
                    return length == delimiter.count ? .found(start) : .absent(start)
                }
                start += 1
            }
            return .absent(bytes.count)
        }
    }

    /// Parses the rest of a boundary line. Leaves its line break unread, so that an empty header block ends in two line
    /// breaks like any other.
    /// - Returns: Whether this is the last boundary, or nil if more bytes are needed.
    private mutating func boundaryEnd() throws(Failure) -> Bool? {
        let view = pending.readableBytesView
        guard view.count >= 2 else { return nil }
        if view.starts(with: [45, 45]) { return true }
        let padding = view.prefix { $0 == 32 || $0 == 9 }.count
        guard padding <= Self.longestPadding else { throw Failure("A boundary line is too long") }
        let rest = view.dropFirst(padding)
        guard rest.count >= 2 else {
            guard rest.isEmpty || rest.first == 13 else { throw Failure("A boundary line is not terminated correctly") }
            return nil
        }
        guard rest.starts(with: [13, 10]) else { throw Failure("A boundary line is not terminated correctly") }
        pending.moveReaderIndex(forwardBy: padding)
        return false
    }

    private mutating func headers() throws(Failure) -> FormPart? {
        let length = pending.readableBytesView.firstRange(of: [13, 10, 13, 10])
            .map { $0.lowerBound - pending.readerIndex }
        guard length ?? pending.readableBytes <= Self.longestHeaders else {
            throw Failure("The headers of a form field are longer than \(Self.longestHeaders) bytes")
        }
        guard let length, let block = pending.readBytes(length: length) else { return nil }
        pending.moveReaderIndex(forwardBy: 4)
        return try FormPart(headers: block)
    }
}
