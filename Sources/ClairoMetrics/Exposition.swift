/// A page in Prometheus's text format, version 0.0.4.
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
public struct Exposition: Sendable {
    /// Content type of the page.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// One series and its current value.
    public struct Sample: Sendable, Hashable {
        /// The value of a series.
        public enum Value: Sendable, Hashable {
            /// The value of a counter or a gauge.
            case number(Double)
            /// The value of a histogram: the number of observations in each bucket, plus a last one for those above the
            /// highest bound, and the sum of all observations. The counts are not cumulative.
            case buckets(counts: [Int], sum: Double)
        }

        /// The values of the labels, in the order of the family's labels.
        public var labels: [String]
        /// The value.
        public var value: Value

        public init(_ value: Double, _ labels: String...) {
            self.labels = labels
            self.value = .number(value)
        }

        public init(_ value: Value, labels: [String]) {
            self.labels = labels
            self.value = value
        }
    }

    private var order: [MetricFamily] = []
    private var samples: [MetricFamily: [Sample]] = [:]

    public init() {}

    /// Adds series. All series of a family are written together. A family without series is omitted.
    public mutating func add(_ family: MetricFamily, _ new: [Sample]) {
        if new.isEmpty { return }
        if samples[family] == nil { order.append(family) }
        samples[family, default: []] += new
    }

    /// Adds a family that has one series without labels.
    public mutating func add(_ family: MetricFamily, _ value: Double) { add(family, [Sample(value)]) }

    /// The page in Prometheus's text format.
    public var text: String {
        var text = ""
        for family in order {
            let samples = (samples[family] ?? []).sorted { $0.labels.lexicographicallyPrecedes($1.labels) }
            Self.write(samples, of: family, to: &text)
            if let old = family.predecessor { Self.write(samples, of: old, to: &text) }
        }
        return text
    }

    private static func write(_ samples: [Sample], of family: MetricFamily, to text: inout String) {
        text += "# HELP \(family.name) \(escaped(family.help, quotes: false))\n"
        text += "# TYPE \(family.name) \(typeName(family.kind))\n"
        for sample in samples { write(sample, of: family, to: &text) }
    }

    private static func typeName(_ kind: MetricFamily.Kind) -> String {
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }

    private static func write(_ sample: Sample, of family: MetricFamily, to text: inout String) {
        let pairs = family.writtenLabels.filter { $0.index < sample.labels.count }
            .map { "\($0.name)=\"\(escaped(sample.labels[$0.index], quotes: true))\"" }
        func line(_ suffix: String, _ value: Double, more: [String] = []) {
            let labels = pairs + more
            text += family.name + suffix + (labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}")
            text += " \(number(value))\n"
        }
        switch sample.value {
        case .number(let value): line("", value)
        case .buckets(let counts, let sum):
            guard case .histogram(let bounds) = family.kind else { return }
            var total = 0
            for (bound, count) in zip(bounds + [.infinity], counts) {
                total += count
                line("_bucket", Double(total), more: ["le=\"\(number(bound))\""])
            }
            line("_sum", sum)
            line("_count", Double(total))
        }
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        if quotes { escaped = escaped.replacing("\"", with: "\\\"") }
        return escaped
    }

    /// Formats a number as Go's `ParseFloat` expects it.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value), abs(whole) < 1 << 53 { return String(whole) }
        return "\(value)"
    }
}

extension Exposition {
    /// Adds all series of another page.
    public mutating func add(_ other: Exposition) {
        for family in other.order { add(family, other.samples[family] ?? []) }
    }
}
