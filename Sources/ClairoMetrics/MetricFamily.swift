/// The declaration of a metric: name, help text and labels.
///
/// Names follow https://prometheus.io/docs/practices/naming: base units, `_total` for counters. Label values come from
/// small closed sets; ids, keys, paths and names of people are never labels.
public struct MetricFamily: Sendable, Hashable {
    /// The Prometheus type of a metric.
    public enum Kind: Sendable, Hashable {
        /// A number that only grows.
        case counter
        /// A number that goes up and down.
        case gauge
        /// A distribution of observations. Has the upper bounds of the buckets, ascending, without infinity.
        case histogram([Double])
    }

    /// Name of the metric.
    public let name: String
    /// The help text: a phrase without a full stop.
    public let help: String
    /// Type of the metric.
    public let kind: Kind
    /// The names of the labels, in the order of the values in a sample.
    public let labels: [String]
    /// The previous name and labels, which are still written for one release.
    public private(set) var alias: Alias?

    /// A deprecated name or deprecated labels.
    public struct Alias: Sendable, Hashable {
        /// The previous name, or nil if only labels changed.
        public let name: String?
        /// The previous name of each renamed label, by its new name.
        public let labels: [String: String]
    }

    /// Declares a counter.
    public static func counter(
        _ name: String, _ help: String, labels: [String] = [], renamed: [String: String] = [:], from old: String? = nil
    ) -> MetricFamily {
        MetricFamily(name, help, .counter, labels, renamed, old)
    }

    /// Declares a gauge.
    public static func gauge(
        _ name: String, _ help: String, labels: [String] = [], renamed: [String: String] = [:], from old: String? = nil
    ) -> MetricFamily {
        MetricFamily(name, help, .gauge, labels, renamed, old)
    }

    /// Declares a histogram with the upper bounds of its buckets.
    public static func histogram(
        _ name: String, _ help: String, buckets: [Double], labels: [String] = [], renamed: [String: String] = [:],
        from old: String? = nil
    ) -> MetricFamily {
        MetricFamily(name, help, .histogram(buckets), labels, renamed, old)
    }

    private init(
        _ name: String, _ help: String, _ kind: Kind, _ labels: [String], _ renamed: [String: String], _ old: String?
    ) {
        self.name = name
        self.help = help
        self.kind = kind
        self.labels = labels
        alias = renamed.isEmpty && old == nil ? nil : Alias(name: old, labels: renamed)
    }

    /// The labels to write for each series, with the index of their value in a sample. A renamed label is written under
    /// both names.
    ///
    /// If the name of the family changed too, `predecessor` has the old labels, so this has only the new ones.
    var writtenLabels: [(name: String, index: Int)] {
        let current = labels.enumerated().map { (name: $1, index: $0) }
        guard let alias, alias.name == nil else { return current }
        return current
            + labels.enumerated().compactMap { index, label in alias.labels[label].map { (name: $0, index: index) } }
    }

    /// The family under its previous name, with the previous labels.
    var predecessor: MetricFamily? {
        guard let alias, let old = alias.name else { return nil }
        return MetricFamily(old, "Deprecated: use \(name)", kind, labels.map { alias.labels[$0] ?? $0 }, [:], nil)
    }
}
