internal import ArgumentParser
internal import ClairoCore
internal import ClairoMedia
internal import Foundation

/// `clairo probe`: shows the contents of a file.
struct ProbeCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Show what is in a media file.",
        discussion: """
            Reads all packets and decodes the first frames, so sizes, rates and durations are measured, not taken from \
            headers.

              clairo probe holiday.mov
              clairo probe holiday.mov --json
            """)

    @OptionGroup var input: InputOptions

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var sandboxOptions: SandboxOptions

    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func run(_ environment: CommandEnvironment) async throws {
        let source = try await input.open(environment)
        let name = input.name
        let result = try await CommandTask(sandbox: sandboxOptions.sandbox, limits: limitOptions.limits).run(
            .inspect(name: name), source: source, log: environment.warn)
        guard let info = result.media else { throw ClairoError.defect("Probing \(name) gave no result") }
        if json {
            environment.output(String(decoding: try JSON.encode(info), as: UTF8.self) + "\n")
        } else {
            environment.output(Self.render(info, name: name))
        }
    }

    static func render(_ info: MediaInfo, name: String) -> String {
        var lines = [
            "\(Render.printable(name)): \(info.containerName), \(Render.bytes(info.size)), \(Render.duration(info.duration)), \(Render.rate(info.bitRate))"
        ]
        for stream in info.video {
            let mark = stream.index == info.selectedVideo ? "*" : " "
            var parts = ["\(stream.codec)\(stream.profile.map { " \($0)" } ?? "")", "\(stream.displaySize)"]
            if stream.displaySize != stream.codedSize { parts.append("stored as \(stream.codedSize)") }
            if stream.sampleAspectRatio != Rational(1) { parts.append("pixels \(stream.sampleAspectRatio)") }
            if stream.orientation.rotation != 0 { parts.append("rotated \(stream.orientation.rotation)°") }
            if stream.orientation.isMirrored { parts.append("mirrored") }
            parts.append(
                stream.isVariableFrameRate
                    ? "variable frame rate, about \(Render.frameRate(stream.frameRate))"
                    : Render.frameRate(stream.frameRate))
            if stream.isInterlaced { parts.append("interlaced") }
            parts.append("\(stream.pixelFormat), \(stream.dynamicRange.rawValue.uppercased())")
            parts += ["\(stream.frameCount) frames", Render.rate(stream.bitRate)]
            if stream.isAttachedPicture { parts.append("cover picture") }
            if !stream.canDecode { parts.append("cannot be decoded") }
            lines.append("\(mark) \(stream.index) video     \(parts.joined(separator: ", "))")
        }
        for stream in info.audio {
            let mark = info.selectedAudio.contains(stream.index) ? "*" : " "
            var parts = [
                "\(stream.codec)\(stream.profile.map { " \($0)" } ?? "")", stream.layout, "\(stream.sampleRate) Hz",
                Render.rate(stream.bitRate), "from \(Render.duration(stream.start)) to \(Render.duration(stream.end))",
            ]
            if let language = stream.language { parts.append(Render.printable(language)) }
            if !stream.canDecode { parts.append("cannot be decoded") }
            lines.append("\(mark) \(stream.index) audio     \(parts.joined(separator: ", "))")
        }
        for stream in info.subtitles {
            var parts = [stream.service.map { "\($0.name) in the video" } ?? stream.codec]
            if let language = stream.language { parts.append(Render.printable(language)) }
            if let role = stream.role { parts.append(role.rawValue) }
            let mark = stream.isUsed ?? false ? "*" : " "
            lines.append("\(mark) \(stream.index) subtitles \(parts.joined(separator: ", "))")
        }
        if !info.otherStreams.isEmpty { lines.append("    other     \(info.otherStreams.joined(separator: ", "))") }
        if let truncation = info.truncation { lines.append("cut short: \(truncation)") }
        return lines.joined(separator: "\n") + "\n" + Render.warnings(info.warnings)
    }
}
