import Synchronization
import Testing

@testable import ClairoCommands
@testable import ClairoPipeline

/// Terminals that can redraw a line, and those that cannot.
@Suite struct TerminalTests {
    private func environment(
        isTerminal: Bool, term: String?, error: @escaping @Sendable (String) -> Void = { _ in }
    ) -> CommandEnvironment {
        CommandEnvironment(
            output: { _ in }, error: error, isTerminal: isTerminal, isOutputTerminal: false,
            variables: term.map { ["TERM": $0] } ?? [:])
    }

    @Test(arguments: [("xterm-256color", true), ("linux", true), ("dumb", false), ("", false), (nil, false)])
    func onlyATerminalWithEscapeSequencesIsRedrawn(term: String?, isRedrawn: Bool) {
        #expect(CommandEnvironment.hasEscapeSequences(term.map { ["TERM": $0] } ?? [:]) == isRedrawn)
    }

    @Test func theStyleFollowsTheTerminal() {
        #expect(ProgressStyle.auto.shown(environment(isTerminal: true, term: "xterm")) == .bar)
        #expect(ProgressStyle.auto.shown(environment(isTerminal: false, term: "dumb")) == .auto)
        #expect(ProgressStyle.bar.shown(environment(isTerminal: false, term: "dumb")) == .auto)
        #expect(ProgressStyle.bar.shown(environment(isTerminal: false, term: "xterm")) == .bar)
        #expect(ProgressStyle.json.shown(environment(isTerminal: true, term: "dumb")) == .json)
    }

    @Test(arguments: [ProgressStyle.auto, .bar])
    func aTerminalWithoutEscapeSequencesGetsNone(style: ProgressStyle) {
        let written = Mutex("")
        let environment = environment(isTerminal: false, term: "dumb") { text in written.withLock { $0 += text } }
        let reporter = ProgressReporter(style: style, environment: environment)
        reporter.log("a message")
        reporter.stop()
        let meter = UploadMeter(style: style, name: "x", environment: environment)
        meter.show(.init(done: 1, total: 1))
        meter.stop()
        let text = written.withLock { $0 }
        #expect(text.hasPrefix("a message\nx: 100 %") && text.hasSuffix("\n"))
        #expect(!text.contains("\u{1B}") && !text.contains("\r"))
    }
}
