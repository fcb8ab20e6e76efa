import ClairoCore
import Testing

@testable import ClairoCommands

@Suite struct SubtitleArgumentTests {
    private static func parts(_ argument: String, files: Set<String> = ["a.srt"]) throws -> [String?] {
        let (path, language, role) = try SubtitleArgument.parts(of: argument) { files.contains($0) }
        return [path, language, role?.rawValue]
    }

    @Test func languageAndRoleFollowTheFile() throws {
        #expect(try Self.parts("a.srt") == ["a.srt", nil, nil])
        #expect(try Self.parts("a.srt:eng") == ["a.srt", "eng", nil])
        #expect(try Self.parts("a.srt:pt-BR:sdh") == ["a.srt", "pt-BR", "captions"])
        #expect(try Self.parts("a.srt:zh-Hans:main") == ["a.srt", "zh-Hans", nil])
        #expect(try Self.parts("a.srt:de:FORCED") == ["a.srt", "de", "forced"])
        // A missing file is refused when it is read.
        #expect(try Self.parts("b.srt:eng") == ["b.srt", "eng", nil])
    }

    @Test func aFileMayHaveColonsInItsName() throws {
        #expect(try Self.parts("12:30.srt", files: ["12:30.srt"]) == ["12:30.srt", nil, nil])
        #expect(try Self.parts("12:30.srt:eng", files: ["12:30.srt"]) == ["12:30.srt", "eng", nil])
        #expect(try Self.parts("12:30.srt:eng:forced", files: ["12:30.srt"]) == ["12:30.srt", "eng", "forced"])
    }

    @Test(arguments: ["a.srt:english", "a.srt:", "a.srt:eng:loud", "a.srt:../x", "a.srt:e", "a.srt:x9"])
    func whatIsNoLanguageOrRoleIsRefused(argument: String) {
        #expect(throws: ClairoError.self) { try Self.parts(argument) }
    }

    @Test func aFileThatCannotBeReadIsNamedWithTheReason() {
        #expect {
            try SubtitleArgument.read(["/nonexistent/a.srt:eng"])
        } throws: { error in
            guard let error = error as? ClairoError else { return false }
            return error.exitCode == .noInput
                && error.message.hasSuffix("a.srt cannot be read: No such file or directory")
        }
    }
}
