/// A metric as it is declared: its name, what it says, and the labels that its series differ in.
///
/// Names follow https://prometheus.io/docs/practices/naming: base units, `_total` for counters. The values of a label come
/// from a small closed set; no id, key, path or name of a person is one.
public struct MetricFamily: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case counter
        case gauge
        /// With the upper bounds of its buckets, ascending and without infinity.
        case histogram([Double])
    }

    public let name: String
    /// One sentence without a full stop.
    public let help: String
    public let kind: Kind
    public let labels: [String]

    public static func counter(_ name: String, _ help: String, labels: [String] = []) -> MetricFamily {
        MetricFamily(name: name, help: help, kind: .counter, labels: labels)
    }

    public static func gauge(_ name: String, _ help: String, labels: [String] = []) -> MetricFamily {
        MetricFamily(name: name, help: help, kind: .gauge, labels: labels)
    }

    public static func histogram(
        _ name: String, _ help: String, buckets: [Double], labels: [String] = []
    ) -> MetricFamily {
        MetricFamily(name: name, help: help, kind: .histogram(buckets), labels: labels)
    }
}
