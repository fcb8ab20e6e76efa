internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import Synchronization

/// Shows the progress of an upload on stderr.
final class UploadMeter: Sendable {
    private struct State {
        var began = ContinuousClock.now
        var shown: ContinuousClock.Instant?
        /// The bytes in the store when this run began.
        var first: Int64?
        var hasDrawn = false
    }

    private let style: ProgressStyle
    private let name: String
    private let environment: CommandEnvironment
    private let state = Mutex(State())

    init(style: ProgressStyle, name: String, environment: CommandEnvironment) {
        self.style = style.shown(environment)
        self.name = Render.printable(name)
        self.environment = environment
    }

    func show(_ progress: FileUpload.Progress) {
        guard style != .none else { return }
        let now = ContinuousClock.now
        let elapsed = state.withLock { state -> Double? in
            let interval: Duration = style == .bar ? .milliseconds(250) : style == .json ? .seconds(1) : .seconds(5)
            if state.first == nil { state.first = progress.done }
            guard progress.done == progress.total || state.shown.map({ $0 + interval <= now }) ?? (style != .auto)
            else {
                if state.shown == nil { state.shown = now }
                return nil
            }
            state.shown = now
            if style == .bar { state.hasDrawn = true }
            return Double(state.began.duration(to: now) / .milliseconds(1)) / 1000
        }
        guard let elapsed else { return }
        let first = state.withLock { $0.first } ?? 0
        // The rate of the bytes before the first report is unknown.
        let speed = elapsed > 0.2 && progress.done > first ? Double(progress.done - first) / elapsed : nil
        switch style {
        case .bar, .auto:
            let text = [
                "\(name): \(progress.total > 0 ? progress.done * 100 / progress.total : 100) %",
                "\(Render.bytes(progress.done)) of \(Render.bytes(progress.total))",
                speed.map { "\(Render.bytes(Int64($0)))/s" },
            ].compactMap(\.self).joined(separator: "  ")
            environment.error(style == .bar ? "\r\u{1B}[K" + text : text + "\n")
        case .json:
            let document = Document(
                file: name, bytesDone: progress.done, bytesTotal: progress.total,
                bytesPerSecond: speed.map { Int64($0) })
            if let data = try? JSON.encode(document, pretty: false) {
                environment.error(String(decoding: data, as: UTF8.self) + "\n")
            }
        case .none: break
        }
    }

    /// Ends the display and clears the line of a bar.
    func stop() {
        let hasDrawn = state.withLock { state in
            defer { state.hasDrawn = false }
            return state.hasDrawn
        }
        if hasDrawn { environment.error("\r\u{1B}[K") }
    }

    /// A line of `--progress json`.
    struct Document: Codable {
        var file: String
        var bytesDone: Int64
        var bytesTotal: Int64
        var bytesPerSecond: Int64?
    }
}
