import ClairoCore
import ClairoMetrics
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoCommands
@testable import ClairoMedia

/// The documents match the code: their tables of fields, settings, metrics and options are compared with it.
@Suite struct ManualTests {
    // MARK: JSON

    /// The documented types, by page and heading in clairo-json(7) and clairo-messages(7).
    static var documents: [(page: String, heading: String, type: any Decodable.Type)] {
        [
            ("man/clairo-json.7.md", "error", ErrorDocument.self),
            ("man/clairo-json.7.md", "error content", ErrorDocument.Content.self),
            ("man/clairo-json.7.md", "progress", ProgressReporter.Figures.Document.self),
            ("man/clairo-json.7.md", "upload progress", UploadMeter.Document.self),
            ("man/clairo-json.7.md", "plan report", PlanReport.Addition.self),
            ("man/clairo-json.7.md", "transcode report", TranscodeReport.self),
            ("man/clairo-json.7.md", "check", VerificationReport.Check.self),
            ("man/clairo-json.7.md", "upload report", UploadReport.self),
            ("man/clairo-json.7.md", "video list", VideoWatch.List.self),
            ("man/clairo-json.7.md", "video report", VideoReport.self),
            ("man/clairo-json.7.md", "relay report", RelayReport.self),
            ("man/clairo-json.7.md", "event summary", ObjectEventSummary.self),
            ("man/clairo-json.7.md", "event entry", ObjectEventSummary.Entry.self),
            ("man/clairo-json.7.md", "event note", ObjectEventSummary.Note.self),
            ("man/clairo-json.7.md", "dead letter list", DeadLetterList.self),
            ("man/clairo-json.7.md", "dead letter", DeadLetterDocument.self),
            ("man/clairo-json.7.md", "gc report", GCReport.self),
            ("man/clairo-json.7.md", "gc counts", UpkeepReport.self),
            ("man/clairo-json.7.md", "migration report", MigrationReport.self),
            ("man/clairo-json.7.md", "config report", ConfigReport.self),
            ("man/clairo-json.7.md", "config setting", ConfigReport.Row.self),
            ("man/clairo-json.7.md", "doctor report", DoctorReport.self),
            ("man/clairo-json.7.md", "doctor check", DoctorReport.Check.self),
            ("man/clairo-json.7.md", "video", VideoDocument.self),
            ("man/clairo-json.7.md", "object location", ObjectLocation.self),
            ("man/clairo-json.7.md", "video output", ProcessedOutput.self),
            ("man/clairo-json.7.md", "failure", Failure.self),
            ("man/clairo-json.7.md", "job", JobDocument.self),
            ("man/clairo-json.7.md", "task", TaskDocument.self),
            ("man/clairo-json.7.md", "rendition", Rendition.self),
            ("man/clairo-json.7.md", "warning", MediaWarning.self),
            ("man/clairo-json.7.md", "media", MediaInfo.self),
            ("man/clairo-json.7.md", "video stream", VideoStream.self),
            ("man/clairo-json.7.md", "mastering display", MasteringDisplay.self),
            ("man/clairo-json.7.md", "chromaticity", MasteringDisplay.Chromaticity.self),
            ("man/clairo-json.7.md", "content light", ContentLight.self),
            ("man/clairo-json.7.md", "audio stream", AudioStream.self),
            ("man/clairo-json.7.md", "subtitle stream", SubtitleStream.self),
            ("man/clairo-json.7.md", "size", FrameSize.self),
            ("man/clairo-json.7.md", "orientation", Orientation.self),
            ("man/clairo-json.7.md", "color", ColorDescription.self),
            ("man/clairo-json.7.md", "plan", Plan.self),
            ("man/clairo-json.7.md", "source fingerprint", SourceFingerprint.self),
            ("man/clairo-json.7.md", "settings", TranscodeSettings.self),
            ("man/clairo-json.7.md", "protection", Protection.self),
            ("man/clairo-json.7.md", "track key id", TrackKeyID.self),
            ("man/clairo-json.7.md", "DRM key URI", Protection.DRMKeyURI.self),
            ("man/clairo-json.7.md", "video plan", VideoPlan.self),
            ("man/clairo-json.7.md", "HDR description", HDRDescription.self),
            ("man/clairo-json.7.md", "source format", SourceFormat.self),
            ("man/clairo-json.7.md", "frame crop", FrameCrop.self),
            ("man/clairo-json.7.md", "clock correction", ClockCorrection.self),
            ("man/clairo-json.7.md", "segment counts", SegmentCounts.self),
            ("man/clairo-json.7.md", "source parts", SourceParts.self),
            ("man/clairo-json.7.md", "source file", SourceParts.File.self),
            ("man/clairo-json.7.md", "grid", SegmentGrid.self),
            ("man/clairo-json.7.md", "rung", Rung.self),
            ("man/clairo-json.7.md", "segment attempt", SegmentAttempt.self),
            ("man/clairo-json.7.md", "ladder decision", LadderDecision.self),
            ("man/clairo-json.7.md", "audio plan", AudioPlan.self),
            ("man/clairo-json.7.md", "text plan", TextPlan.self),
            ("man/clairo-json.7.md", "image plan", ImagePlan.self),
            ("man/clairo-json.7.md", "chunk", Chunk.self),
            ("man/clairo-json.7.md", "prediction", Prediction.self),
            ("man/clairo-json.7.md", "manifest", OutputManifest.self),
            ("man/clairo-json.7.md", "rendition record", RenditionRecord.self),
            ("man/clairo-json.7.md", "loudness", AudioLoudness.self),
            ("man/clairo-json.7.md", "file record", FileRecord.self),
            ("man/clairo-messages.7.md", "upload message", UploadMessage.self),
            ("man/clairo-messages.7.md", "task message", TaskMessage.self),
            ("man/clairo-messages.7.md", "job event", JobEvent.self),
        ]
    }

    @Test(arguments: documents.map { ($0.page, $0.heading) })
    func tablesOfFieldsMatchTheCode(page: String, heading: String) throws {
        let type = try #require(Self.documents.first { $0.page == page && $0.heading == heading }?.type)
        let documented = try ManualPage(page).rows(below: heading).map { row in
            JSONField(
                name: row[0], type: row[1].hasSuffix("?") ? String(row[1].dropLast()) : row[1],
                isOptional: row[1].hasSuffix("?"))
        }
        var fields = try FieldRecorder.fields(of: type)
        if type == TranscodeSettings.self {
            // Decoding needs fewer fields than encoding writes: profiles omit fields with default values.
            let written =
                try JSONSerialization.jsonObject(with: JSON.encode(TranscodeSettings())) as? [String: Any] ?? [:]
            fields = fields.map { JSONField(name: $0.name, type: $0.type, isOptional: written[$0.name] == nil) }
        }
        if type == Rendition.self {
            // The fields of the record are documented there.
            let record = Set(try FieldRecorder.fields(of: RenditionRecord.self))
            fields.removeAll(where: record.contains)
        }
        #expect(Set(documented) == Set(fields), "\(page), \(heading)")
        #expect(documented.count == Set(documented.map(\.name)).count, "\(page), \(heading): duplicate field")
    }

    /// Encoding writes more than decoding reads, so it is encoded here.
    @Test func verificationIsDocumented() throws {
        let check = VerificationReport.Check(name: "a", subject: "b", passed: true, detail: "c")
        let object = try JSONSerialization.jsonObject(with: JSON.encode(VerificationReport(checks: [check])))
        let keys = try #require(object as? [String: Any]).keys
        let rows = try ManualPage("man/clairo-json.7.md").rows(below: "verification")
        #expect(Set(rows.map { $0[0] }) == Set(keys))
    }

    @Test func everyCodeOfAWarningIsDocumented() throws {
        let rows = try ManualPage("man/clairo-json.7.md").rows(below: "warning codes")
        #expect(rows.map { $0[0] } == MediaWarning.Code.allCases.map(\.rawValue))
    }

    // MARK: Settings

    @Test func everySettingIsDocumented() async throws {
        let rows = try ManualPage("man/clairo.yaml.5.md").rows(below: "SETTINGS")
        #expect(rows.map { $0[0] } == Settings.Key.allCases.map(\.rawValue))
        let scratch = try Scratch()
        let empty = scratch.path + "/clairo.yaml"
        try Data().write(to: URL(filePath: empty))
        let settings = try await Settings(flags: [:], configFile: empty, environment: ["CLAIRO_HOME": "/home"])
        for row in rows {
            guard let key = Settings.Key(rawValue: row[0]), let value = settings.value(key) else { continue }
            let scheme = value.split(separator: ":")[0]
            let documented = value.contains("/home/") ? "\(scheme): in the data directory" : value
            #expect(row[1] == documented, "\(key.rawValue)")
        }
    }

    /// Each field of a profile is accepted with its documented default, and changes nothing.
    @Test func everyFieldOfAProfileIsDocumented() throws {
        let scratch = try Scratch()
        let rows = try ManualPage("man/clairo.yaml.5.md").rows(below: "PROFILES")
        // Some fields have no value that means their default.
        let lines = rows.filter { TranscodeSettings.field($0[0])?.defaultText != $0[2] || Self.isValue($0) }
            .map { "  \($0[0]): \($0[2])" }
        let file = scratch.path + "/profiles.yaml"
        try Data(("documented:\n" + lines.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: file))
        #expect(try ProfilesFile.read(file).settings(of: "documented") == TranscodeSettings())
        // `start` and `duration` are options of one command, not of a profile.
        let documented = Set(rows.map { $0[0].replacing("-", with: "").lowercased() })
        let fields = try FieldRecorder.fields(of: TranscodeSettings.self).map { $0.name.lowercased() }
        #expect(documented == Set(fields).subtracting(["start", "duration"]))
    }

    private static func isValue(_ row: [String]) -> Bool {
        var settings = TranscodeSettings()
        return (try? TranscodeSettings.field(row[0])?.set(row[2], in: &settings)) != nil
    }

    @Test func examplesOfFilesAreValid() async throws {
        let scratch = try Scratch()
        let blocks = try ManualPage("man/clairo.yaml.5.md").text.split(separator: "```yaml\n").dropFirst().map {
            String($0.split(separator: "```")[0])
        }
        #expect(blocks.count == 2)
        let settings = scratch.path + "/clairo.yaml"
        try Data(blocks[0].utf8).write(to: URL(filePath: settings))
        let read = try await Settings(flags: [:], configFile: settings, environment: ["HOME": scratch.path])
        #expect(read.value(.queue) == "kafka://broker1:9092,broker2:9092")
        let profiles = scratch.path + "/profiles.yaml"
        try Data(blocks[1].utf8).write(to: URL(filePath: profiles))
        #expect(try ProfilesFile.read(profiles).names == ["archive", "camera-uploads", "default", "mobile"])
    }

    @Test func everyVariableIsDocumented() throws {
        let page = try ManualPage("man/clairo.yaml.5.md")
        let documented = Set(page.rows(below: "ENVIRONMENT").flatMap { $0[0].split(separator: ", ").map(String.init) })
        let settings = Set(Settings.Key.allCases.map(\.environmentName))
        let forTests: Set = ["CLAIRO_CRASH_AT", "CLAIRO_STOP_AT"]
        let names = #/"((?:CLAIRO|AWS|XDG|ECS|DOCKER|NOTIFY|WATCHDOG)_[A-Z0-9_]*[A-Z0-9])"/#
        let read = Set(try Self.sources().flatMap { $0.matches(of: names).map { String($0.1) } })
        #expect(read.subtracting(documented).subtracting(settings).subtracting(forTests).isEmpty)
        // AWS_ENDPOINT_URL_ is followed by the name of a service.
        let services = Set(documented.filter { $0.hasPrefix("AWS_ENDPOINT_URL_") })
        let others: Set = ["HOME", "TERM", "http_proxy", "https_proxy", "all_proxy", "no_proxy"]
        #expect(documented.subtracting(read).subtracting(services).subtracting(others).isEmpty)
    }

    // MARK: Metrics

    @Test func everyMetricIsDocumented() throws {
        let page = try ManualPage("man/clairo-deploy.7.md")
        let rows = page.rows(below: "Metrics of a daemon") + page.rows(below: "Metrics of the pipeline")
        let name = #/= (?:MetricFamily\.)?(counter|gauge|histogram)\(\s*"([a-z0-9_]+)"/#
        var declared: Set<[String]> = []
        for source in try Self.sources(of: "ClairoMetrics") {
            for declaration in source.split(separator: "static let ") {
                guard let match = declaration.firstMatch(of: name) else { continue }
                let labels = declaration.firstMatch(of: #/labels: \[("[^\]]*)\]/#)?.1.replacing("\"", with: "") ?? ""
                declared.insert([String(match.2), String(match.1), String(labels)])
            }
        }
        #expect(Set(rows.map { Array($0.prefix(3)) }) == declared)
        // The same for what a daemon exposes.
        #expect(Set(MetricFamily.daemon.map(\.name)).isSubset(of: rows.map { $0[0] }))
    }

    // MARK: Commands and options

    /// Options mentioned in a document exist. (Scripts/man --check verifies that the pages of commands are current.)
    @Test(arguments: ManualPage.names.filter { !$0.contains("CHANGELOG") })
    func documentedOptionsAndCommandsExist(name: String) throws {
        let folder = ManualPage.root.appending(path: "man")
        let pages = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".1") }
        let commands = Set(pages.map { String($0.dropLast(2)) }).union(["clairo-help"])
        let manual = try pages.map { try String(contentsOf: folder.appending(path: $0), encoding: .utf8) }.joined()
            .replacing("\\", with: "").replacing("Fl -", with: "--")
        let call = #/(?:^|[$&|] )(?:[A-Z_]+=\S+ )*clairo ([a-z][a-z-]*)(?: (list|show|redrive))?/#
        let option = #/(?:^|\s)(--[a-z][a-z0-9-]+)/#
        for line in try ManualPage(name).code {
            for call in line.matches(of: call) {
                let command = ["clairo", call.1, call.2].compactMap(\.self).joined(separator: "-")
                #expect(commands.contains(command) || commands.contains("clairo-\(call.1)"), "\(name): \(line)")
            }
            // Options of other programs.
            guard line.contains("clairo ") && !line.contains("docker") || line.hasPrefix("--") else { continue }
            for option in line.matches(of: option) {
                let isKnown = manual.contains(option.1) || Self.optionsOfOthers.contains(String(option.1))
                #expect(isKnown, "\(name): \(option.1) in \(line)")
            }
        }
    }

    /// Options of our scripts, and of programs that a page mentions.
    private static let optionsOfOthers: Set = [
        "--quick", "--on", "--seconds", "--services", "--images", "--clip", "--peer", "--against", "--long",
        "--build-arg",
        "--profile", "--scale", "--stack-name", "--capabilities", "--generate-completion-script",
    ]

    @Test func documentedInputLimitsMatchTheCode() throws {
        let rows = try ManualPage("man/clairo-security.7.md").rows(below: "INPUTS")
        let limits = InputLimits()
        let documented = Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
        #expect(
            documented == [
                "--max-pixels": "\(limits.maxPixels)", "--max-streams": "\(limits.maxStreams)",
                "--max-frames": "\(limits.maxFrames)", "--max-duration": "\(Int(limits.maxDuration))",
                "--max-cpu-hours": "\(Int(limits.maxCPUHours))", "--max-gap": "\(Int(limits.maxGap))",
                "--probe-size": "\(limits.probeBytes)",
            ])
    }

    @Test(arguments: ManualPage.names)
    func everyLinkHasATarget(name: String) throws {
        let page = try ManualPage(name)
        let folder = ManualPage.root.appending(path: name).deletingLastPathComponent()
        for link in page.text.matches(of: #/\]\(([^):#]+)\)/#) {
            let file = folder.appending(path: String(link.1)).standardized
            #expect(FileManager.default.fileExists(atPath: file.path), "\(name): \(link.1)")
        }
        for script in page.text.matches(of: #/Scripts\/[A-Za-z_\/.-]+[A-Za-z]/#) {
            let file = ManualPage.root.appending(path: String(script.0))
            #expect(FileManager.default.fileExists(atPath: file.path), "\(name): \(script.0)")
        }
    }

    @Test func readmeIsShort() throws {
        #expect(try ManualPage("README.md").text.utf8.count <= 8192)
    }

    // MARK: Sources

    private static func sources(of module: String = "") throws -> [String] {
        let folder = ManualPage.root.appending(path: "Sources/\(module)")
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        return try names.map { try String(contentsOf: folder.appending(path: $0), encoding: .utf8) }
    }
}
