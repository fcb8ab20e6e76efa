import ClairoTestSupport
import Testing

/// FFmpeg's libraries, which the program loads when it first uses them.
@Suite(.sharesMachine) struct LibraryTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test func theProgramStartsWithoutFFmpeg() async throws {
        // With this variable the dynamic loader lists what it would load, and does not run the program (ld.so(8)).
        let listing = try await ClairoProcess.run("--version", environment: ["LD_TRACE_LOADED_OBJECTS": "1"])
        #expect(listing.text.contains("libcurl"))
        #expect(!listing.text.contains("libav"))
    }

    @Test func doctorNamesALibraryThatCannotBeLoaded() async throws {
        for version in 56...64 { _ = try scratch.write("not a library", to: "libavutil.so.\(version)") }
        let outcome = try await ClairoProcess.run(
            "doctor",
            environment: [
                "LD_LIBRARY_PATH": scratch.path, "CLAIRO_HOME": scratch.path("home"),
                "HOME": scratch.path,
            ])
        #expect(outcome.status == 69)
        #expect(outcome.text.contains("FAIL  libraries: FFmpeg not found"))
        #expect(outcome.text.contains("FFmpeg's libraries cannot be loaded: "))
        #expect(outcome.text.contains("libavutil.so."))
    }
}
