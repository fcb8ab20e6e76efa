import ClairoCore
import ClairoPipeline
import ClairoTestSupport
import Testing

/// Retries of jobs.
@Suite struct JobOperationsTests {
    private let metadata = MemoryMetadata()

    private func operations(
        _ profiles: @escaping @Sendable () throws(ClairoError) -> Profiles?
    ) throws -> JobOperations {
        let start = JobStart(metadata: metadata, policy: try QueuePolicy(""), messages: JobMessages())
        return JobOperations(
            metadata: metadata, output: MemoryStore(), start: start, messages: JobMessages(), profiles: profiles)
    }

    private func video(profile: String) async throws -> VideoID {
        var video = MetadataSamples.video()
        video.profile = profile
        #expect(try await metadata.register(video, message: MetadataSamples.message(of: video.id), upload: nil))
        return video.id
    }

    @Test func aNewJobNeedsAnExistingProfile() async throws {
        let id = try await video(profile: "vertical")
        let messages = metadata.messages.count
        let without = try operations { () throws(ClairoError) in Profiles() }
        await #expect { try await without.retry(id, anew: true) } throws: {
            ($0 as? ClairoError)?.exitCode == .configuration && "\($0)".contains("Profile vertical does not exist")
        }
        #expect(try await metadata.jobs(of: id).isEmpty && metadata.messages.count == messages)
        let with = try operations { () throws(ClairoError) in Profiles(["vertical": TranscodeSettings()]) }
        #expect(try await with.retry(id, anew: true) != nil)
        #expect(try await metadata.jobs(of: id).count == 1)
    }

    @Test func invalidProfilesStartNoJob() async throws {
        let id = try await video(profile: "default")
        let invalid = ClairoError.configuration("profiles.yaml: heights are odd")
        let operations = try operations { () throws(ClairoError) in throw invalid }
        for anew in [false, true] {
            await #expect(throws: invalid) { try await operations.retry(id, anew: anew) }
        }
        #expect(try await metadata.jobs(of: id).isEmpty)
    }

    @Test func aProfileThatOnlyTheWorkersKnowIsNotChecked() async throws {
        let id = try await video(profile: "vertical")
        #expect(try await operations { () throws(ClairoError) in nil }.retry(id, anew: true) != nil)
    }

    /// Its plan contains the settings.
    @Test func aJobWithAPlanContinuesWithoutItsProfile() async throws {
        let plan = Plan.sample(chunks: 1, segmentsPerChunk: 1)
        let task = try await MetadataStoreContract.chunk(of: plan, in: metadata)
        _ = try await metadata.cancelVideo(task.videoID) { _ in [] }
        let operations = try operations { () throws(ClairoError) in throw .configuration("invalid") }
        #expect(try await operations.retry(task.videoID) == task.jobID)
    }
}
