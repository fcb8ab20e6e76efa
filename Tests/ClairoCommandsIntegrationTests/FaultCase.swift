import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// An input that once gave a wrong result, and the right one.
struct FaultCase: Sendable, CustomTestStringConvertible {
    enum Command: Sendable { case transcode, plan }

    /// The folder `faults` of the shared media, if it exists.
    static let folder: URL? = MediaFolder.shared.map { $0.url.appendingPathComponent("faults") }.flatMap {
        FileManager.default.fileExists(atPath: $0.appendingPathComponent("MANIFEST.tsv").path) ? $0 : nil
    }

    /// Its name in the folder `faults`.
    var file: String
    var command: Command
    var preset: String
    /// Further options.
    var options: [String]
    /// A run that takes longer fails.
    var deadline: Duration
    var expectations: [FaultExpectation]

    init(
        _ file: String, _ expectations: [FaultExpectation], command: Command = .transcode,
        preset: String = "ultrafast", options: [String] = [], deadline: Duration = .seconds(120)
    ) {
        self.file = file
        self.command = command
        self.preset = preset
        self.options = options
        self.deadline = deadline
        self.expectations = expectations
    }

    var testDescription: String {
        ([file] + (command == .plan ? ["as planned"] : []) + options).joined(separator: " ")
    }

    /// Runs the program on the file, and returns what is wrong with the result.
    func failures(source: String, folder: String) async throws -> [String] {
        let arguments: [String]
        switch command {
        case .plan: arguments = ["plan", source, "--json"]
        case .transcode:
            arguments = [
                "transcode", source, "-o", folder, "--preset", preset, "--format", "hls,mp4", "--progress", "none",
            ]
        }
        let outcome: ChildProcess.Outcome
        do {
            outcome = try await ClairoProcess.run(arguments: arguments + options, deadline: deadline)
        } catch let late as ChildProcess.DeadlinePassed {
            return [late.description]
        }
        let output = FaultOutput(source: source, folder: folder, command: command, outcome: outcome)
        return await FaultExpectation.wrong(expectations, output)
    }
}

/// What the program made of a file.
struct FaultOutput: Sendable {
    struct Missing: Error, CustomStringConvertible {
        var description: String
    }

    let source: String
    let folder: String
    let outcome: ChildProcess.Outcome
    /// `clairo.json`.
    let manifest: OutputManifest?
    private let planned: Plan?

    init(source: String, folder: String, command: FaultCase.Command, outcome: ChildProcess.Outcome) {
        self.source = source
        self.folder = folder
        self.outcome = outcome
        manifest = FileManager.default.contents(atPath: folder + "/clairo.json").flatMap {
            try? JSONDecoder().decode(OutputManifest.self, from: $0)
        }
        switch command {
        case .plan: planned = try? JSONDecoder().decode(Plan.self, from: outcome.output)
        case .transcode: planned = manifest?.plan
        }
    }

    func plan() throws -> Plan {
        guard let planned else { throw Missing(description: "there is no plan") }
        return planned
    }

    func video() throws -> VideoPlan {
        guard let video = try plan().video else { throw Missing(description: "there is no video") }
        return video
    }

    var warnings: [MediaWarning] { manifest?.warnings ?? [] }

    /// The MP4 of every rung, the largest first.
    func films() throws -> [String] { try video().rungs.map { folder + "/" + $0.mp4Key.rawValue } }

    /// The MP4 with the largest rung, or with the audio alone.
    func film() throws -> String {
        let plan = try plan()
        let keys = (plan.video?.rungs ?? []).map(\.mp4Key) + plan.audio.map(\.mp4Key)
        guard let key = keys.first else { throw Missing(description: "there is neither video nor audio") }
        return folder + "/" + key.rawValue
    }

    /// The samples of the default audio track, one array per channel.
    func samples() async throws -> [[Float]] {
        guard let track = try plan().audio.first else { throw Missing(description: "there is no audio") }
        return try await Oracle.samples(film(), channels: track.channels)
    }
}
