internal import ArgumentParser
internal import ClairoCore
internal import ClairoMedia
internal import Dispatch
internal import Foundation
internal import Synchronization

enum ProgressStyle: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// A bar on a terminal, otherwise a line every few seconds.
    case auto
    case bar
    case json
    case none

    /// The style on the given terminal. One without escape sequences cannot show a bar.
    func shown(_ environment: CommandEnvironment) -> ProgressStyle {
        switch self {
        case .auto: environment.isTerminal ? .bar : .auto
        case .bar: environment.variables["TERM"] == "dumb" ? .auto : .bar
        case .json, .none: self
        }
    }
}

/// Shows the progress of a job on stderr.
///
/// `@unchecked Sendable`: only the command that owns the reporter creates and cancels the timer, and the timer's
/// handler accesses only `state`.
final class ProgressReporter: @unchecked Sendable {
    private struct State {
        var began: ContinuousClock.Instant?
        var hasDrawn = false
        var latest = JobProgress()
        var lastPhase: JobProgress.Phase?
    }

    private let style: ProgressStyle
    private let environment: CommandEnvironment
    private let state = Mutex(State())
    private var timer: (any DispatchSourceTimer)?

    init(style: ProgressStyle, environment: CommandEnvironment) {
        self.style = style.shown(environment)
        self.environment = environment
    }

    func start() {
        guard style != .none else { return }
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "progress"))
        let interval = style == .bar ? 0.25 : style == .json ? 1.0 : 5.0
        timer.schedule(deadline: .now() + interval, repeating: interval)
        timer.setEventHandler { [self] in show() }
        timer.resume()
        self.timer = timer
    }

    /// Ends the display and clears the line of a bar.
    func stop() {
        timer?.cancel()
        timer = nil
        if style == .json { show() }
        if state.withLock({ $0.hasDrawn }) { environment.error("\r\u{1B}[K") }
    }

    /// Updates the displayed state. Several threads report; a state older than the last one is ignored.
    func take(_ progress: JobProgress) {
        state.withLock { state in
            let last = state.latest
            let isOlder =
                progress.phase == last.phase && progress.framesPlanned == last.framesPlanned
                && progress.framesDone < last.framesDone
            if !isOlder { state.latest = progress }
        }
    }

    /// Prints a message between two updates of the display.
    func log(_ text: String) {
        guard style != .none else { return }
        if style == .json {
            environment.error(Self.line(["message": text]))
        } else {
            environment.error((style == .bar ? "\r\u{1B}[K" : "") + text + "\n")
        }
    }

    private func show() {
        let (snapshot, elapsed, isNewPhase) = state.withLock { state -> (JobProgress, Double, Bool) in
            let now = ContinuousClock.now
            let snapshot = state.latest
            if snapshot.phase == .encoding, state.began == nil { state.began = now }
            let isNew = state.lastPhase != snapshot.phase
            state.lastPhase = snapshot.phase
            return (
                snapshot, state.began.map { Double(($0.duration(to: now)) / .milliseconds(1)) / 1000 } ?? 0, isNew
            )
        }
        let figures = Figures(snapshot, elapsed: elapsed)
        switch style {
        case .bar:
            environment.error("\r\u{1B}[K" + figures.text)
            state.withLock { $0.hasDrawn = true }
        case .json: environment.error(figures.json)
        case .auto: if snapshot.phase == .encoding || isNewPhase { environment.error(figures.text + "\n") }
        case .none: break
        }
    }

    private static func line(_ object: [String: String]) -> String {
        (try? String(decoding: JSON.encode(object, pretty: false), as: UTF8.self)).map { $0 + "\n" } ?? ""
    }

    /// The displayed values of a job's progress.
    struct Figures {
        let snapshot: JobProgress
        /// The share of finished frames, from 0 to 1.
        let share: Double
        /// Seconds of output per second of this run; nil before there are measurements.
        let speed: Double?
        let secondsLeft: Double?

        init(_ snapshot: JobProgress, elapsed: Double) {
            self.snapshot = snapshot
            let planned = Double(snapshot.framesPlanned)
            share = planned > 0 ? min(1, Double(snapshot.framesDone) / planned) : 0
            let made = Double(snapshot.framesDone - snapshot.framesResumed)
            if elapsed > 0.2, made > 0, planned > 0, snapshot.framesDone > 0 {
                let seconds = snapshot.mediaSeconds * made / Double(snapshot.framesDone)
                speed = seconds / elapsed
                secondsLeft = (planned - Double(snapshot.framesDone)) / (made / elapsed)
            } else {
                speed = nil
                secondsLeft = nil
            }
        }

        var text: String {
            let phase = snapshot.phase.rawValue
            // The check of a source that may be copied counts frames while it reads.
            guard [.reading, .encoding].contains(snapshot.phase), snapshot.framesPlanned > 0 else { return phase }
            var text = String(
                format: "%@ %3d %%  %d of %d frames", phase, Int(share * 100), snapshot.framesDone,
                snapshot.framesPlanned)
            if let speed { text += String(format: "  %.2fx", speed) }
            if let secondsLeft { text += "  \(Render.clock(secondsLeft)) left" }
            return text
        }

        /// A line of `--progress json`.
        struct Document: Codable {
            var phase: JobProgress.Phase
            var framesDone: Int
            var framesPlanned: Int
            var percent: Double
            var speed: Double?
            var secondsLeft: Double?
        }

        var json: String {
            func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
            let document = Document(
                phase: snapshot.phase, framesDone: snapshot.framesDone, framesPlanned: snapshot.framesPlanned,
                percent: rounded(share * 100), speed: speed.map(rounded), secondsLeft: secondsLeft.map(rounded))
            return (try? String(decoding: JSON.encode(document, pretty: false), as: UTF8.self)).map { $0 + "\n" } ?? ""
        }
    }
}
