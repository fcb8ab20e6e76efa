internal import Synchronization

/// Drops repeated lines of librdkafka's log.
///
/// In an outage librdkafka repeats lines every second, with other offsets and durations in their text. Lines are
/// therefore alike if they have the same facility and come from the same thread, whose name contains the broker's. One
/// line of a kind passes per minute, with the number of those that were dropped before it.
public final class KafkaLogFilter: Sendable {
    private struct Kind: Hashable {
        var facility: String
        var thread: Substring
    }

    private struct Entry {
        var passed: ContinuousClock.Instant
        var dropped = 0
    }

    private static let interval = Duration.seconds(60)
    private static let maximumKinds = 100

    private let entries = Mutex<[Kind: Entry]>([:])

    public init() {}

    /// - Returns: The text of the line to log, or nil to drop it.
    public func pass(_ line: KafkaLogLine, now: ContinuousClock.Instant = .now) -> String? {
        // The text is "[thrd:NAME]: …".
        let kind = Kind(facility: line.facility, thread: line.text.prefix { $0 != "]" })
        return entries.withLock { entries in
            let entry = entries[kind]
            if let entry, now - entry.passed < Self.interval {
                entries[kind]?.dropped += 1
                return nil
            }
            if entry == nil, entries.count >= Self.maximumKinds,
                let oldest = entries.min(by: { $0.value.passed < $1.value.passed })
            {
                entries[oldest.key] = nil
            }
            entries[kind] = Entry(passed: now)
            guard let dropped = entry?.dropped, dropped > 0 else { return line.text }
            return "\(line.text) (\(dropped) similar lines before this one were left out)"
        }
    }
}
