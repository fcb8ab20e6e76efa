/// A page for Prometheus in its text format, version 0.0.4.
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
public struct Exposition: Sendable {
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// One series at this moment.
    public struct Sample: Sendable, Hashable {
        public enum Value: Sendable, Hashable {
            case number(Double)
            /// How many observations fell into each bucket and beyond the last (one more than there are bounds), and their
            /// sum.
            case buckets(counts: [Int], sum: Double)
        }

        /// In the order of the family's labels.
        public var labels: [String]
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

    /// Adds series; those of one family stand together, whoever adds them. A family without any is left out.
    public mutating func add(_ family: MetricFamily, _ new: [Sample]) {
        if new.isEmpty { return }
        if samples[family] == nil { order.append(family) }
        samples[family, default: []] += new
    }

    public mutating func add(_ family: MetricFamily, _ value: Double) { add(family, [Sample(value)]) }

    public var text: String {
        var text = ""
        for family in order {
            text += "# HELP \(family.name) \(Self.escaped(family.help, quotes: false))\n"
            text += "# TYPE \(family.name) \(Self.word(for: family.kind))\n"
            for sample in (samples[family] ?? []).sorted(by: { $0.labels.lexicographicallyPrecedes($1.labels) }) {
                Self.write(sample, of: family, to: &text)
            }
        }
        return text
    }

    private static func word(for kind: MetricFamily.Kind) -> String {
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }

    private static func write(_ sample: Sample, of family: MetricFamily, to text: inout String) {
        let pairs = zip(family.labels, sample.labels).map { "\($0)=\"\(escaped($1, quotes: true))\"" }
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

    /// As Go's `ParseFloat` reads it.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value), abs(whole) < 1 << 53 { return String(whole) }
        return "\(value)"
    }
}

extension Exposition {
    /// Adds all of another page.
    public mutating func add(_ other: Exposition) {
        for family in other.order { add(family, other.samples[family] ?? []) }
    }
}
