import ClairoCore
import Testing

@testable import ClairoExecutors

/// The sandbox report describes the actual layers.
@Suite struct SandboxReportTests {
    private func landlock(_ version: Int) -> String {
        SandboxReport(gaps: [], landlockVersion: version).layers
    }

    @Test func anOlderLandlockReportsItsGaps() {
        #expect(
            landlock(2).contains(
                "landlock (version 2, without ports, signals, abstract sockets: covered by namespaces and seccomp"))
        #expect(
            landlock(4).contains(
                "landlock (version 4, without signals, abstract sockets: covered by namespaces and seccomp"))
        #expect(landlock(6).contains("landlock (version 6)"))
    }

    @Test func aMissingLayerIsAGapAndFailsARequiredSandbox() {
        let gap = SandboxReport.Gap(layer: .seccomp, reason: "left out")
        let report = SandboxReport(gaps: [gap], landlockVersion: 6)
        #expect(!report.isComplete && report.layers == "user, namespaces, privileges, landlock (version 6)")
        #expect(report.refusal(of: .require)?.exitCode == .configuration)
        #expect(report.refusal(of: .auto) == nil)
    }
}
