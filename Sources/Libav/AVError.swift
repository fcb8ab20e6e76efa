internal import CFFmpeg
internal import Synchronization

/// A libav error code (`AVERROR(...)`) with the last line that libav logged before it.
public struct AVError: Error, Hashable, Sendable {
    /// libav's error code.
    public let rawValue: Int32
    /// The last warning or error that libav logged, or nil.
    public let lastLogLine: String?

    init(_ rawValue: Int32, lastLogLine: String? = LogTap.takeLastLine()) {
        self.rawValue = rawValue
        self.lastLogLine = lastLogLine
    }

    public static func == (lhs: AVError, rhs: AVError) -> Bool { lhs.rawValue == rhs.rawValue }
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }

    /// `ENOMEM`.
    public static let outOfMemory = AVError(clairo_averror_enomem, lastLogLine: nil)
    /// `EINVAL`.
    public static let invalidArgument = AVError(clairo_averror_einval, lastLogLine: nil)
    /// `AVERROR_INVALIDDATA`: the input is damaged.
    public static let invalidData = AVError(clairo_averror_invaliddata, lastLogLine: nil)
    /// `EIO`.
    public static let inputOutput = AVError(clairo_averror_eio, lastLogLine: nil)
    /// `AVERROR_EXIT`: the call was interrupted.
    public static let exitRequested = AVError(clairo_averror_exit, lastLogLine: nil)
    /// `AVERROR_DECODER_NOT_FOUND`.
    public static let decoderNotFound = AVError(clairo_averror_decoder_not_found, lastLogLine: nil)
}

extension AVError: CustomStringConvertible {
    public var description: String {
        var buffer = [CChar](repeating: 0, count: 128)
        av_strerror(rawValue, &buffer, buffer.count)
        let text = String(nullTerminated: buffer)
        return lastLogLine.map { "\(text) (\($0))" } ?? text
    }
}

extension String {
    /// Decodes a null-terminated buffer.
    init(nullTerminated buffer: [CChar]) {
        self.init(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Throws an error for a negative result of a libav call.
@discardableResult
func check(_ result: Int32) throws(AVError) -> Int32 {
    guard result >= 0 else { throw AVError(result) }
    return result
}

/// Throws an error if an allocation failed.
func checkAllocated<T>(_ pointer: T?) throws(AVError) -> T {
    guard let pointer else { throw .outOfMemory }
    return pointer
}

/// Keeps the last line that libav logs, instead of writing to stderr: damaged files produce thousands of lines.
///
/// The callback is global and called from codec threads, so it only formats and stores under a mutex.
enum LogTap {
    private static let lastLine = Mutex<String?>(nil)

    static let install: Void = {
        av_log_set_level(AV_LOG_ERROR)
        av_log_set_callback { context, level, format, arguments in
            guard level <= AV_LOG_ERROR, let format, let arguments else { return }
            var line = [CChar](repeating: 0, count: 512)
            // No prefix: it contains an address, which is useless to a reader.
            var printPrefix: Int32 = 0
            av_log_format_line2(context, level, format, arguments, &line, Int32(line.count), &printPrefix)
            let printable = String(nullTerminated: line).filter { !$0.isNewline }
            LogTap.lastLine.withLock { $0 = printable }
        }
    }()

    static func takeLastLine() -> String? {
        lastLine.withLock { line in
            defer { line = nil }
            return line
        }
    }
}
