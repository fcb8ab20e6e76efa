import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoPipeline

/// What the database and the event about a finished job say of its renditions.
@Suite struct PublishedJobTests {
    private let size = FrameSize(width: 320, height: 180)

    private func video(_ id: String, _ codec: String, rate: Int64) -> RenditionRecord {
        RenditionRecord(
            id: id, kind: .video, codec: codec, size: size, duration: 12, averageRate: rate, peakRate: rate, bytes: 1)
    }

    private func published(formats: [OutputFormat]) -> PublishedJob {
        var plan = Plan.sample(chunks: 1, segmentsPerChunk: 2)
        var rung = Plan.sampleRung
        (rung.id, rung.codec) = ("180p-hevc", .hevc)
        plan.video?.rungs.append(rung)
        plan.settings.formats = formats
        let job = Job(
            id: .make(), videoID: .make(), profile: "default", priority: .normal, plan: plan, traceID: "",
            createdAt: .now)
        let audio = RenditionRecord(
            id: plan.audio[0].id, kind: .audio, codec: "mp4a.40.2", language: "und", duration: 12, averageRate: 1,
            peakRate: 1, bytes: 1)
        let records = [audio, video("180p-hevc", "hvc1.1.6.L60.90", rate: 5), video("180p", "avc1.64000d", rate: 9)]
        return PublishedJob(job: job, result: TaskResult(renditions: records), store: MemoryStore())
    }

    @Test func renditionsOfAllKindsAreListedByKindWithTheirPlaylists() {
        let published = published(formats: [.hls, .mp4])
        let renditions = published.renditions
        #expect(renditions.map(\.record.kind) == [.video, .video, .audio])
        #expect(renditions.map(\.record.id).prefix(2) == ["180p", "180p-hevc"])
        let folders = ["video/180p", "video/180p-hevc", "audio/\(renditions[2].record.id)"]
        for (rendition, folder) in zip(renditions, folders) {
            #expect(rendition.playlistURL?.hasSuffix("\(published.job.id)/\(folder)/playlist.m3u8") == true)
        }
        // The files of the rungs contain the audio.
        #expect(renditions.map { $0.fileURL == nil } == [false, false, true])
        #expect(published.output.resolutions == ["320x180"])
    }

    @Test func whatWasNotMadeHasNoURL() {
        let published = published(formats: [.dash])
        #expect(published.renditions.allSatisfy { $0.playlistURL == nil && $0.fileURL == nil })
        #expect(published.output.masterPlaylist == nil && published.output.manifest != nil)
    }

    @Test func theEventNamesTheRenditionsWithoutTheirJob() throws {
        let published = published(formats: [.hls])
        let messages = JobMessages(hasWebhook: true).event(
            .ready, job: published.job, output: published.output, renditions: published.renditions)
        #expect(messages.map(\.topic) == [Topic.events, Topic.webhook])
        for message in messages {
            let event = try JSONDecoder().decode(JobEvent.self, from: message.payload)
            #expect(event.renditions?.map(\.record) == published.renditions.map(\.record))
            #expect(event.renditions?.allSatisfy { $0.jobID == nil } == true)
        }
    }
}
