internal import ClairoCore
internal import Foundation
internal import Logging

/// The format of a daemon's log.
enum LogFormat: String, CaseIterable, Sendable {
    /// For people: `2026-11-23T01:43:01.120045Z info task began job.id=… attempt=1`. Values with spaces are quoted.
    case text
    /// One JSON object per line, with `time`, `level`, `message` and the metadata keys. Numbers are JSON numbers.
    case json
}

/// A value of a log line.
enum LogValue: Encodable, ExpressibleByStringLiteral {
    case text(String)
    case integer(Int64)
    /// In seconds.
    case duration(Double)

    init(stringLiteral value: String) { self = .text(value) }

    init(_ value: Logger.MetadataValue) {
        switch value {
        case .stringConvertible(let value as any BinaryInteger): self = .integer(Int64(clamping: value))
        case .stringConvertible(let value as LogDuration): self = .duration(value.seconds)
        default: self = .text(Render.printable("\(value)"))
        }
    }

    /// For people.
    var text: String {
        switch self {
        case .text(let text): text
        case .integer(let number): "\(number)"
        case .duration(let seconds): Render.duration(seconds)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .integer(let number): try container.encode(number)
        case .duration(let seconds): try container.encode((seconds * 1000).rounded() / 1000)
        }
    }
}

/// Seconds as metadata: formatted for people in a text log, a number in a JSON log.
struct LogDuration: CustomStringConvertible, Sendable {
    var seconds: Double
    var description: String { Render.duration(seconds) }
}

/// Writes each event as one line.
struct LineLogHandler: LogHandler {
    let format: LogFormat
    let write: @Sendable (String) -> Void
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        if let error = event.error, fields["error"] == nil { fields["error"] = "\(error)" }
        let values = fields.mapValues(LogValue.init)
        write(
            Self.line(
                format, level: event.level.rawValue, message: Render.printable("\(event.message)"), values,
                time: Timestamp.now))
    }

    static func line(
        _ format: LogFormat, level: String, message: String, _ values: [String: LogValue], time: Timestamp
    ) -> String {
        switch format {
        case .text:
            let pairs = values.sorted { $0.key < $1.key }.map { "\($0.key)=\(quoted($0.value.text))" }
            return ([time.description, level, message] + pairs).joined(separator: " ") + "\n"
        case .json:
            var object = values
            object["time"] = .text(time.description)
            object["level"] = .text(level)
            object["message"] = .text(message)
            let data = try? JSON.encode(object, pretty: false)
            return String(decoding: data ?? Data(), as: UTF8.self) + "\n"
        }
    }

    /// Quotes a value if its end would be ambiguous otherwise.
    private static func quoted(_ value: String) -> String {
        let isPlain = !value.isEmpty && !value.contains { $0.isWhitespace || "\"=\\".contains($0) }
        if isPlain { return value }
        return "\"\(value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }
}
