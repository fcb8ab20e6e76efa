import ClairoCore
import Testing

@Suite struct ClairoErrorTests {
    @Test func descriptionEndsWithTheAdvice() {
        #expect(ClairoError.usage("--heights is empty").description == "--heights is empty")
        #expect(
            ClairoError.noInput("a.mp4 does not exist", advice: "Check the name.").description
                == "a.mp4 does not exist. Check the name.")
    }

    @Test(
        arguments: [
            (ClairoError.usage(""), 64, .usage), (.badMedia(""), 65, .badInput), (.noInput(""), 66, .usage),
            (.defect(""), 70, .defect), (.cannotCreate(""), 73, .usage), (.inputOutput(""), 74, .transient),
            (.noPermission(""), 77, .usage), (.cancelled, 130, .cancelled),
        ] as [(ClairoError, Int32, ClairoError.Kind)])
    func exitCodesMatchSysexits(error: ClairoError, code: Int32, kind: ClairoError.Kind) {
        #expect(error.exitCode.rawValue == code)
        #expect(error.kind == kind)
    }

    @Test func remainingExitCodesMatchSysexits() {
        #expect(ClairoError.ExitCode.temporary.rawValue == 75)
        #expect(ClairoError.ExitCode.configuration.rawValue == 78)
        #expect(ClairoError.ExitCode.terminated.rawValue == 143)
    }

    @Test func contextIsPrependedToTheMessageAndNothingElseChanges() {
        let error = ClairoError.badMedia("no frames", advice: "Try another file.").whileDoing("Reading a.mp4")
        #expect(error == .badMedia("Reading a.mp4: no frames", advice: "Try another file."))
    }

    @Test func theAdviceForADefectIsToReportIt() {
        #expect(ClairoError.defect("x").description.contains("report"))
    }
}
