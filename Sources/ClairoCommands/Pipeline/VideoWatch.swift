internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// Shows videos, once or until they are final.
struct VideoWatch {
    let metadata: any MetadataStore
    let environment: CommandEnvironment
    let json: Bool

    /// The output of `clairo status --json` without a video.
    struct List: Codable {
        var schema = 2
        var videos: [VideoDocument]
    }

    /// The current state: the named videos with their jobs, or a list.
    /// - Returns: The text, and whether all named videos are final.
    func page(_ ids: [VideoID], filter: VideoFilter, pretty: Bool) async throws -> (text: String, isFinal: Bool) {
        guard !ids.isEmpty else { return (try await list(filter, pretty: pretty), false) }
        let reports = try await reports(ids)
        let text = try reports.map { report in
            json ? Self.text(try JSON.encode(report, pretty: pretty)) : Self.describe(report)
        }.joined(separator: json ? "" : "\n")
        return (text, reports.allSatisfy(\.video.state.isFinal))
    }

    private func list(_ filter: VideoFilter, pretty: Bool) async throws -> String {
        let videos = try await metadata.videos(filter)
        if json {
            return Self.text(
                try JSON.encode(List(videos: videos.map { VideoDocument($0, for: .operator) }), pretty: pretty))
        }
        return videos.isEmpty
            ? "No videos\(filter.state.map { " are \($0.rawValue)" } ?? " yet").\n" : Self.table(videos)
    }

    /// Follows the named videos until they are final, or the list until stopped.
    func follow(_ ids: [VideoID], filter: VideoFilter, stop: StopRequest) async throws {
        var last = ""
        while true {
            let now = try await page(ids, filter: filter, pretty: false)
            if now.text != last {
                // A terminal is redrawn; otherwise changes are appended.
                environment.output((environment.isOutputTerminal && !json ? "\u{1B}[H\u{1B}[2J" : "") + now.text)
                last = now.text
            }
            if now.isFinal { return }
            try await pause(stop)
        }
    }

    /// Waits until all videos are final.
    /// - Throws: The failure of the first video that did not become ready.
    func untilFinal(_ ids: [VideoID], stop: StopRequest) async throws {
        var states: [VideoID: Video.State] = [:]
        while true {
            let reports = try await reports(ids)
            for report in reports where states[report.video.id] != report.video.state {
                states[report.video.id] = report.video.state
                environment.error("\(report.video.id) is \(report.video.state.rawValue)\n")
            }
            if reports.allSatisfy({ $0.video.state.isFinal }) {
                for video in reports.map(\.video) where video.state != .ready { throw Self.failure(of: video) }
                return
            }
            try await pause(stop)
        }
    }

    private func pause(_ stop: StopRequest) async throws {
        try stop.check()
        try await Task.sleep(for: .milliseconds(500))
        try stop.check()
    }

    private func reports(_ ids: [VideoID]) async throws -> [VideoReport] {
        var reports: [VideoReport] = []
        for id in ids {
            guard let report = try await VideoReport(id, in: metadata, for: .operator) else {
                throw ClairoError.noInput("Video \(id) does not exist", advice: "clairo status lists the videos.")
            }
            reports.append(report)
        }
        return reports
    }

    /// The error for a final video that is not ready. Never of the kind `cancelled`, which means that this command was
    /// stopped.
    private static func failure(of video: VideoDocument) -> ClairoError {
        guard video.state != .cancelled else {
            return .temporary("Video \(video.id) is cancelled", advice: "clairo retry \(video.id) continues it.")
        }
        guard video.state != .deleting else { return .noInput("Video \(video.id) is being deleted") }
        let kind = video.error?.kind ?? .defect
        return ClairoError(
            kind: kind == .cancelled ? .defect : kind, exitCode: exitCode(kind),
            "Video \(video.id) is \(video.state.rawValue)\(video.error.map { ": \($0.message)" } ?? "")",
            advice: video.error?.advice)
    }

    private static func exitCode(_ kind: ClairoError.Kind) -> ClairoError.ExitCode {
        switch kind {
        case .badInput: .badMedia
        case .transient, .capacity, .refused: .temporary
        case .usage: .configuration
        case .defect, .cancelled: .software
        }
    }

    // MARK: Text

    private static func text(_ data: Data) -> String { String(decoding: data, as: UTF8.self) + "\n" }

    private static func table(_ videos: [Video]) -> String {
        Render.table(
            ["video", "state", "uploaded", "size", "length", "name"],
            videos.map { video in
                [
                    video.id.rawValue, video.state.rawValue, shortTime(video.uploadedAt), Render.bytes(video.size),
                    video.media.map { Render.duration($0.duration) } ?? "-",
                    short(video.title ?? video.originalName),
                ]
            })
    }

    private static func describe(_ report: VideoReport) -> String {
        let video = report.video
        var rows = [
            ["video", video.id.rawValue], ["state", video.state.rawValue], ["name", short(video.name)],
        ]
        if let title = video.title { rows.append(["title", short(title)]) }
        rows += [
            ["source", video.source?.url ?? "-"], ["size", Render.bytes(video.size)], ["SHA-256", video.sha256],
            ["uploaded", shortTime(video.uploadedAt)],
            ["profile", "\(video.profile), \(video.priority.rawValue) priority"], ["tenant", video.tenant],
        ]
        if let media = video.media {
            var parts = [media.containerName, Render.duration(media.duration)]
            if let stream = media.primaryVideo {
                parts += ["\(stream.codec) \(stream.displaySize)", Render.frameRate(stream.frameRate)]
            }
            parts += media.primaryAudio.map { "\($0.codec) \($0.layout)" }
            rows.append(["media", parts.joined(separator: ", ")])
        }
        if let error = video.error {
            rows.append(["error", error.message])
            if let advice = error.advice { rows.append(["", advice]) }
            if video.state == .failed { rows.append(["", "clairo retry \(video.id) makes what is missing."]) }
        }
        for warning in video.warnings ?? [] {
            rows.append(["warning", warning.message])
            if let advice = warning.advice { rows.append(["", advice]) }
        }
        if let output = video.output {
            rows += [("HLS", output.masterPlaylist), ("DASH", output.manifest), ("poster", output.poster)]
                .compactMap { name, url in url.map { [name, $0] } }
            rows.append(["renditions", output.resolutions.joined(separator: ", ")])
        }
        let width = rows.map { $0[0].count }.max() ?? 0
        var text = rows.map { row in
            row[0] + String(repeating: " ", count: width - row[0].count + 2) + Render.printable(row[1]) + "\n"
        }.joined()
        for job in report.jobs {
            text += "\njob \(job.id): \(progress(of: job))\n"
            let tasks = job.taskList ?? []
            if !tasks.isEmpty {
                text += Render.table(
                    ["task", "state", "attempt", "frames", "done", "worker"],
                    tasks.map {
                        [
                            "\($0.kind.rawValue) \($0.index)", $0.state.rawValue, String($0.attempt),
                            $0.framesPlanned > 0 ? "\($0.framesDone)/\($0.framesPlanned)" : "-",
                            percent($0.framesDone, of: $0.framesPlanned) ?? "-", $0.owner ?? "-",
                        ]
                    })
            }
            // The errors of the video, the job and a task are often the same.
            var shown: Set = [video.error?.message]
            for failure in [job.error].compactMap(\.self) + tasks.compactMap(\.error)
            where shown.insert(failure.message).inserted {
                text += "error: \(Render.printable(failure.message))\n"
            }
        }
        if !report.renditions.isEmpty {
            text +=
                "\n"
                + Render.renditions(report.renditions.map(\.record), last: "URL") {
                    report.renditions[$0].playlistURL ?? report.renditions[$0].fileURL ?? "-"
                }
        }
        return text
    }

    /// Such as `running, 3 of 9 tasks done, 42 % of frames, 96 fps, 3.8x, about 2:10 left`.
    static func progress(of job: JobDocument) -> String {
        let done = job.tasks[WorkTask.State.succeeded.rawValue] ?? 0
        let all = job.tasks.values.reduce(0, +)
        var parts = [job.state.rawValue, "\(done) of \(all) tasks done"]
        if let percent = percent(job.framesDone, of: job.framesPlanned) { parts.append("\(percent) of frames") }
        if let rate = job.framesPerSecond { parts.append(String(format: rate < 10 ? "%.1f fps" : "%.0f fps", rate)) }
        if let speed = job.speed { parts.append(String(format: speed < 1 ? "%.2fx" : "%.1fx", speed)) }
        if let seconds = job.etaSeconds { parts.append("about \(Render.clock(seconds)) left") }
        return parts.joined(separator: ", ")
    }

    private static func percent(_ done: Int, of planned: Int) -> String? {
        planned > 0 ? "\(done * 100 / planned) %" : nil
    }

    private static func shortTime(_ time: Timestamp) -> String {
        String(time.description.prefix(19)).replacing("T", with: " ") + " UTC"
    }

    /// An untrusted name: printable, and shortened so that it does not break the table.
    private static func short(_ name: String) -> String {
        let text = Render.printable(name)
        return text.count <= 80 ? text : text.prefix(79) + "…"
    }
}
