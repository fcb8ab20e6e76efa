import ClairoCore
import ClairoTestSupport
import Testing

@testable import ClairoMedia

@Suite struct CostLimitsTests {
    /// A plan with this number of output frames and this prediction.
    private static func plan(frames: Int = 250, cpuHours: Double = 1, bytes: Int64 = 1_000_000) -> Plan {
        var plan = Plan.sample(chunks: 1, segmentsPerChunk: 1)
        plan.video?.grid = SegmentGrid(frameRate: Rational(25), frameCount: frames)
        plan.prediction = Prediction(bytes: bytes, cpuSeconds: cpuHours * 3600)
        return plan
    }

    private static func error(
        _ plan: Plan, sourceFrames: Int, audibleSeconds: Double = 0, limits: CostLimits = CostLimits()
    ) -> ClairoError? {
        do throws(ClairoError) {
            try limits.check(plan: plan, sourceFrames: sourceFrames, audibleSeconds: audibleSeconds, name: "a.mp4")
            return nil
        } catch {
            return error
        }
    }

    @Test func anOrdinaryPlanIsAllowed() {
        #expect(Self.error(Self.plan(), sourceFrames: 250) == nil)
        // A day of 1080p at 60 frames per second.
        let day = Self.plan(frames: 86_400 * 60, cpuHours: 180, bytes: 260_000_000_000)
        #expect(Self.error(day, sourceFrames: 86_400 * 60) == nil)
    }

    @Test func aStillImageWithAnHourOfAudioIsAllowed() {
        let plan = Self.plan(frames: 90_000, cpuHours: 3)
        #expect(Self.error(plan, sourceFrames: 1) != nil)
        #expect(Self.error(plan, sourceFrames: 1, audibleSeconds: 3600) == nil)
    }

    @Test func tooMuchCPUTimeIsRefusedWithTheNumbersAndTheOption() {
        let error = Self.error(Self.plan(frames: 4_800_000, cpuHours: 692), sourceFrames: 240)
        #expect(error?.kind == .badInput && error?.exitCode == .badMedia)
        #expect(error?.message == "a.mp4 would take 692 CPU hours, more than the limit of 200")
        #expect(error?.advice?.contains("--max-cpu-hours") == true)
    }

    @Test func tooManyBytesAreRefused() {
        let error = Self.error(Self.plan(bytes: 3_000_000_000_000), sourceFrames: 250)
        #expect(error?.message == "a.mp4 would give 3000 GB of output, more than the limit of 2000 GB")
    }

    @Test func framesThatAreRepeatedForHoursAreRefused() {
        let error = Self.error(Self.plan(frames: 1_000_000, cpuHours: 150), sourceFrames: 240)
        #expect(error?.message.contains("its 240 frames would become 1000000") == true)
        #expect(Self.error(Self.plan(frames: 1_000_000, cpuHours: 150), sourceFrames: 10_000) == nil)
    }

    @Test func theOptionScalesEveryLimit() {
        let plan = Self.plan(frames: 4_800_000, cpuHours: 692, bytes: 3_000_000_000_000)
        #expect(Self.error(plan, sourceFrames: 240, limits: CostLimits(cpuHours: 10_000)) == nil)
        let small = Self.error(Self.plan(cpuHours: 0.01), sourceFrames: 250, limits: CostLimits(cpuHours: 0.001))
        #expect(small?.message == "a.mp4 would take 0.01 CPU hours, more than the limit of 0.001")
    }

    @Test func theDefaultIsThatOfTheOption() {
        #expect(InputLimits().maxCPUHours == CostLimits.defaultCPUHours)
    }

    private struct AudioPacket: Sendable {
        var codec: String
        var bytes: Int
        var rate: Int
        var milliseconds: Double
    }

    private static let audioPackets = [
        AudioPacket(codec: "aac", bytes: 6, rate: 48_000, milliseconds: 42.667),
        AudioPacket(codec: "mp3", bytes: 400, rate: 48_000, milliseconds: 24),
        AudioPacket(codec: "opus", bytes: 100, rate: 48_000, milliseconds: 120),
        AudioPacket(codec: "pcm_s16le", bytes: 4096, rate: 8000, milliseconds: 256),
        AudioPacket(codec: "adpcm_ima_wav", bytes: 100, rate: 8000, milliseconds: 25),
        // A rate that no codec has, and none.
        AudioPacket(codec: "aac", bytes: 6, rate: 1, milliseconds: 278.639),
        AudioPacket(codec: "aac", bytes: 6, rate: 0, milliseconds: 42.667),
        // A codec of speech.
        AudioPacket(codec: "amr_nb", bytes: 13, rate: 8000, milliseconds: 260),
        AudioPacket(codec: "amr_nb", bytes: 100_000, rate: 8000, milliseconds: 1000),
    ]

    @Test func aPacketOfAudioIsNoLongerThanItsCodecAllows() {
        for packet in Self.audioPackets {
            let packets = AudioPackets(codec: packet.codec, channels: 2, rate: packet.rate)
            let most = packets.mostSeconds(bytes: packet.bytes)
            #expect(abs(1000 * most - packet.milliseconds) < 0.001, "\(packet)")
        }
    }
}
