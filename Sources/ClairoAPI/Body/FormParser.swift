internal import Glibc
internal import NIOCore

/// An incremental multipart/form-data parser (RFC 7578, RFC 2046 section 5.1).
///
/// Add received bytes with `append`, call `next` until it returns nil, and repeat. Call `finish` at the end of the
/// body.
///
/// Each byte is examined a constant number of times, however the form is split into pieces. File bytes are returned as
/// slices of the input. Between pieces the parser keeps only the block of headers that it reads, and how much of a
/// delimiter it has seen: those bytes are known. The parser is strict: lines end in CR LF, header lines are not folded,
/// and anything that starts like a boundary is a boundary.
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
        case boundaryEnd(BoundaryLine)
        case headers
        case body
        case epilogue
    }

    /// What follows a boundary in its line.
    private enum BoundaryLine {
        case nothing
        case hyphen
        case padding(Int)
        case carriageReturn
    }

    /// The maximum size of a header block in bytes.
    static let longestHeaders = 16 << 10
    /// The maximum number of spaces and tabs after a boundary.
    static let longestPadding = 128
    /// The end of a header block.
    private static let headersEnd: [UInt8] = [13, 10, 13, 10]

    /// CR LF, two hyphens and the boundary. Its only CR is the first byte.
    private let delimiter: [UInt8]
    private var state = State.preamble
    /// Received bytes that are not parsed yet.
    private var input = ByteBuffer()
    /// How many bytes of `delimiter` the last consumed bytes are. Initially a line break: `delimiter` includes the line
    /// break before a boundary, which the first boundary may lack.
    private var matched = 2
    /// The header block so far.
    private var block: [UInt8] = []
    /// How many bytes of `headersEnd` the header block ends with, counting the line break before it.
    private var matchedEnd = 0
    /// The number of bytes examined so far. A byte counts again each time it is examined.
    private(set) var examined = 0

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

    /// Adds a piece of the body. `next` must have returned nil for the previous one.
    mutating func append(_ piece: ByteBuffer) {
        var piece = piece
        if input.readableBytes == 0 {
            input = piece
        } else {
            input.writeBuffer(&piece)
        }
    }

    /// The next event, or nil if more bytes are needed.
    mutating func next() throws(Failure) -> Event? {
        while true {
            switch state {
            case .preamble:
                switch search() {
                case .content: break
                case .delimiter: state = .boundaryEnd(.nothing)
                case .nothing: return nil
                }
            case .boundaryEnd(let line):
                guard let isLast = try boundaryEnd(after: line) else { return nil }
                state = isLast ? .epilogue : .headers
            case .headers:
                guard let part = try headers() else { return nil }
                state = .body
                return .partBegan(part)
            case .body:
                switch search() {
                case .content(let bytes): return .bytes(bytes)
                case .delimiter:
                    state = .boundaryEnd(.nothing)
                    return .partEnded
                case .nothing: return nil
                }
            case .epilogue:
                input.clear()
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
        /// Bytes without a delimiter.
        case content(ByteBuffer)
        /// A complete delimiter, which is consumed.
        case delimiter
        /// The input is consumed. It may end with the first bytes of a delimiter, which `matched` counts.
        case nothing
    }

    private mutating func search() -> Search {
        if matched > 0 { return continueMatch() }
        let (length, match) = unmatched()
        if length > 0, let slice = input.readSlice(length: length) { return .content(slice) }
        input.moveReaderIndex(forwardBy: match)
        if match == delimiter.count { return .delimiter }
        matched = match
        return .nothing
    }

    /// Continues a match that began in an earlier piece.
    private mutating func continueMatch() -> Search {
        let count = input.withUnsafeReadableBytes { Self.common(delimiter[matched...], $0[...]) }
        input.moveReaderIndex(forwardBy: count)
        examined += count
        matched += count
        if matched < delimiter.count, input.readableBytes == 0 { return .nothing }
        defer { matched = 0 }
        return matched == delimiter.count ? .delimiter : .content(ByteBuffer(bytes: delimiter[..<matched]))
    }

    /// The number of bytes before the first delimiter, and how much of that delimiter the input has. A part of a
    /// delimiter counts only at the end of the input.
    private mutating func unmatched() -> (length: Int, match: Int) {
        let delimiter = delimiter
        let result = input.withUnsafeReadableBytes { bytes in
            guard let base = bytes.baseAddress else { return (length: 0, match: 0, examined: 0) }
            var (start, compared) = (0, 0)
            while start < bytes.count, let place = memchr(base + start, 13, bytes.count - start) {
                start = UnsafeRawPointer(place) - base
                let match = Self.common(delimiter[...], bytes[start...])
                compared += match
                if match == delimiter.count || start + match == bytes.count {
                    return (start, match, start + compared)
                }
                // No delimiter starts within the matching bytes, because only the first of them is a CR.
                start += match
            }
            return (bytes.count, 0, bytes.count + compared)
        }
        examined += result.examined
        return (result.length, result.match)
    }

    /// The number of equal bytes at the start of both.
    private static func common(_ expected: ArraySlice<UInt8>, _ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
        var count = 0
        let most = min(expected.count, bytes.count)
        while count < most, expected[expected.startIndex + count] == bytes[bytes.startIndex + count] { count += 1 }
        return count
    }

    /// Parses the rest of a boundary line.
    /// - Returns: Whether this is the last boundary, or nil if more bytes are needed.
    private mutating func boundaryEnd(after line: BoundaryLine) throws(Failure) -> Bool? {
        var line = line
        while let byte = input.readInteger(as: UInt8.self) {
            examined += 1
            switch (line, byte) {
            case (.nothing, UInt8(ascii: "-")): line = .hyphen
            case (.hyphen, UInt8(ascii: "-")): return true
            case (.nothing, 32), (.nothing, 9): line = .padding(1)
            case (.padding(let count), 32), (.padding(let count), 9):
                guard count < Self.longestPadding else { throw Failure("A boundary line is too long") }
                line = .padding(count + 1)
            case (.nothing, 13), (.padding, 13): line = .carriageReturn
            case (.carriageReturn, 10):
                (block, matchedEnd) = ([], 2)
                return false
            default: throw Failure("A boundary line is not terminated correctly")
            }
        }
        state = .boundaryEnd(line)
        return nil
    }

    // MARK: Headers

    private mutating func headers() throws(Failure) -> FormPart? {
        var length = 0
        for byte in input.readableBytesView {
            length += 1
            if byte == Self.headersEnd[matchedEnd] {
                matchedEnd += 1
                if matchedEnd == Self.headersEnd.count { break }
            } else {
                matchedEnd = byte == 13 ? 1 : 0
            }
        }
        examined += length
        guard block.count + length <= Self.longestHeaders else {
            throw Failure("The headers of a form field are longer than \(Self.longestHeaders) bytes")
        }
        block += input.readBytes(length: length) ?? []
        guard matchedEnd == Self.headersEnd.count else { return nil }
        // Without any header, the block has only the second of the two line breaks.
        return try FormPart(headers: Array(block.dropLast(Self.headersEnd.count)))
    }
}
