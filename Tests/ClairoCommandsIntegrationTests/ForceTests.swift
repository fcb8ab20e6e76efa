import ClairoTestSupport
import Foundation
import Testing

/// What `--force` and repeated runs must not do.
@Suite(.sharesMachine) struct ForceTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test func forceRemovesOnlyClairosOwnFiles() async throws {
        let source = try await Clip(width: 320, height: 180, seconds: 1).make()
        for folder in ["lib/video", "lib/mp4"] {
            try FileManager.default.createDirectory(at: scratch.url(folder), withIntermediateDirectories: true)
        }
        _ = try scratch.write("mine", to: "lib/video/home.mov")
        _ = try scratch.write("mine too", to: "lib/mp4/x.txt")
        let clairo = try ClairoProcess.start([
            "transcode", source.path, "-o", scratch.path("lib"), "--preset", "ultrafast", "--format", "hls",
            "--no-verify", "--force", "--progress", "none",
        ])
        #expect(try await clairo.outcome().status == 0)
        #expect(try String(contentsOfFile: scratch.path("lib/video/home.mov"), encoding: .utf8) == "mine")
        #expect(try String(contentsOfFile: scratch.path("lib/mp4/x.txt"), encoding: .utf8) == "mine too")
    }

    @Test func aDamagedSourceIsRefusedAgainOnTheSecondRun() async throws {
        let source = try await Clip(width: 320, height: 180, seconds: 4).make()
        var bytes = try Data(contentsOf: source)
        // Every sixteenth byte in the middle: headers stay intact, frames and audio are damaged.
        for index in stride(from: bytes.count / 8, to: bytes.count * 7 / 8, by: 16) { bytes[index] ^= 0x5A }
        let damaged = scratch.url("damaged.mp4")
        try bytes.write(to: damaged)
        var codes: [Int32] = []
        for _ in 0..<2 {
            let clairo = try ClairoProcess.start([
                "transcode", damaged.path, "-o", scratch.path("out"), "--preset", "ultrafast", "--progress", "none",
            ])
            codes.append(try await clairo.outcome().status)
        }
        #expect(codes == [65, 65])
    }
}
