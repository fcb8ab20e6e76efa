public import CoreMetrics
internal import Synchronization

/// A backend for swift-metrics. Stores the series of declared families and adds them to a page for Prometheus.
///
/// Series with undeclared names or labels are ignored, so that a library cannot add its own.
public final class PrometheusRegistry: MetricsFactory {
    private let families: [MetricFamily]
    private let byName: [String: MetricFamily]
    private let series = Mutex<[String: [[String]: Series]]>([:])

    /// Creates a registry of these families. Others are ignored.
    public init(_ families: [MetricFamily]) {
        self.families = families
        byName = Dictionary(families.map { ($0.name, $0) }) { first, _ in first }
        // Series without labels start at zero. If a counter first appeared with its first event, that event would not
        // count in a rate.
        for family in families where family.labels.isEmpty { _ = find(family.name, []) }
    }

    /// Creates series with the value zero, one for each array of label values.
    public func prepare(_ family: MetricFamily, _ values: [[String]]) {
        for labels in values { _ = find(family.name, Array(zip(family.labels, labels))) }
    }

    /// Adds all series to a page.
    public func write(to page: inout Exposition) {
        let series = series.withLock { $0 }
        for family in families {
            page.add(family, (series[family.name] ?? [:]).map { .init($1.value, labels: $0) })
        }
    }

    private func find(_ name: String, _ dimensions: [(String, String)]) -> Series? {
        guard let family = byName[name], dimensions.count == family.labels.count else { return nil }
        var labels: [String] = []
        for label in family.labels {
            guard let value = dimensions.first(where: { $0.0 == label })?.1 else { return nil }
            labels.append(value)
        }
        return series.withLock { series in
            if let old = series[name]?[labels] { return old }
            let new = Series(family.kind)
            series[name, default: [:]][labels] = new
            return new
        }
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        find(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        find(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        find(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        find(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        find(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    // Series live as long as the process, because Prometheus expects monotonic counters.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}
}

/// One series, behind any of swift-metrics's handler protocols.
private final class Series: Sendable {
    private let bounds: [Double]?
    private let state: Mutex<Exposition.Sample.Value>

    init(_ kind: MetricFamily.Kind) {
        if case .histogram(let bounds) = kind {
            self.bounds = bounds
            state = Mutex(.buckets(counts: Array(repeating: 0, count: bounds.count + 1), sum: 0))
        } else {
            bounds = nil
            state = Mutex(.number(0))
        }
    }

    var value: Exposition.Sample.Value { state.withLock { $0 } }

    private func change(_ body: (Double) -> Double) {
        state.withLock { if case .number(let value) = $0 { $0 = .number(body(value)) } }
    }
}

extension Series: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    func increment(by amount: Int64) { change { $0 + Double(amount) } }
    func increment(by amount: Double) { change { $0 + amount } }
    func decrement(by amount: Double) { change { $0 - amount } }
    func set(_ value: Int64) { change { _ in Double(value) } }
    func set(_ value: Double) { change { _ in value } }
    func reset() {}
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard let bounds else { return change { _ in value } }
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            guard case .buckets(var counts, let sum) = state else { return }
            // The state is moved out and back, so that the counts are not copied.
            state = .number(0)
            counts[index] += 1
            state = .buckets(counts: counts, sum: sum + value)
        }
    }

    /// Records a duration. Histograms of durations are in seconds.
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func preferDisplayUnit(_ unit: TimeUnit) {}
}
