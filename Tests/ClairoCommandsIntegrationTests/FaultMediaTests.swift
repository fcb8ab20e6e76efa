import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// The folder `faults` of the shared media: small inputs modelled on bug reports, of which Clairo once lost frames or
/// audio without a warning. Each case states the right result of the folder's manifest. Most files number their frames,
/// and flash together with beeps of 1000 Hz (see `NumberedFrames`).
@Suite(.sharesMachine, .enabled(if: FaultCase.folder != nil, "there is no folder faults in ../shared/media"))
struct FaultMediaTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let cases: [FaultCase] = [
        audioCodecs, audioLayouts, audioClocks, audioDamage, breaks, rates, lateTracks, beginnings, formats, colors,
        limits,
    ].flatMap { $0 }

    @Test(arguments: cases)
    func aFileGivesItsRightResult(_ sample: FaultCase) async throws {
        let source = try #require(FaultCase.folder).appendingPathComponent(sample.file).path
        let failures = try await sample.failures(source: source, folder: scratch.path("out"))
        #expect(failures == [])
    }

    @Test func everyFileOfTheManifestHasACase() throws {
        let manifest = try #require(FaultCase.folder).appendingPathComponent("MANIFEST.tsv")
        let lines = try String(contentsOf: manifest, encoding: .utf8).split(separator: "\n").dropFirst()
        let names = lines.compactMap { $0.split(separator: "\t").first.map(String.init) }
        #expect(Set(names) == Set(Self.cases.map(\.file)))
    }

    @Test func aPlanShowsTheWarnings() async throws {
        let source = try #require(FaultCase.folder).appendingPathComponent("v2_restart.ts").path
        let text = try await ClairoProcess.run("plan", source)
        #expect(text.status == 0 && text.text.contains("warning: "))
        let json = try await ClairoProcess.run("plan", source, "--json")
        #expect(json.status == 0 && json.text.contains(MediaWarning.Code.clockBreak.rawValue))
    }

    // MARK: - Audio

    static let audioCodecs: [FaultCase] = [
        FaultCase("a2_latm.ts", [.made, .frames(0..<100), .inStep(3)]),
        FaultCase("a3_lpcm.vob", [.made, .frames(0..<30), .soundLasts(1.2), .inStep(1)]),
        FaultCase("a3_s302m.ts", [.made, .frames(0..<30), .soundLasts(1.2), .inStep(1)]),
        // libav 5.1 does not know the codec.
        FaultCase(
            "a4_fpcm.mp4",
            [.made, .frames(0..<50), .either([.sound], [.warning(.trackUnused, containing: "fpcm")])]),
        FaultCase("a8_adpcm_qt.mov", [.made, .frames(0..<100), .soundLasts(4), .inStep(3)]),
        FaultCase("a8_f64.mkv", [.made, .frames(0..<25), .soundLasts(1)]),
        FaultCase("a8_nelly.flv", [.made, .frames(0..<100), .soundLasts(4), .inStep(3)]),
        FaultCase("a8_pcm_f32be.mov", [.made, .frames(0..<50), .soundLasts(2), .inStep(1)]),
        FaultCase("a8_s8.mov", [.made, .frames(0..<100), .soundLasts(4), .inStep(3)]),
        FaultCase("a8_truehd.mkv", [.made, .frames(0..<100), .soundLasts(4), .inStep(3)]),
        FaultCase("a8_wavpack.mkv", [.made, .frames(0..<100), .soundLasts(4), .inStep(3)]),
        // libav 5.1 does not open the decoder, because the header is short. Silence in the audio is right.
        FaultCase(
            "a8_wmapro.wmv",
            [.made, .frames(0..<100), .either([.soundLasts(4)], [.warning(.trackUnused, containing: "wmapro")])]),
    ]

    static let audioLayouts: [FaultCase] = [
        FaultCase("a7_9ch.mov", [.made, .frames(0..<20), .tones([300, 400]), .warning(.layoutGuessed)]),
        FaultCase("a7_12ch.mov", [.made, .frames(0..<20), .tones([300, 400]), .warning(.layoutGuessed)]),
        FaultCase("k19_fam255.mkv", [.made, .frames(0..<100), .tones([300, 400]), .warning(.layoutGuessed)]),
        FaultCase("k19_ambi.mkv", [.made, .frames(0..<100), .hears(300), .warning(.layoutGuessed)]),
        FaultCase("a1_two_SL_SR.mov", [.made, .frames(0..<100), .tones([500, 2000])]),
        FaultCase("k5_layout4.ts", [.made, .soundLasts(4), .hears(500)]),
        FaultCase(
            "m_twomono.mov",
            [
                .made, .frames(0..<38), .soundLasts(1.52), .tones([500, 2000]),
                .warning(.layoutGuessed, containing: "left"),
            ]),
    ]

    static let audioClocks: [FaultCase] = [
        FaultCase("k21_jit10.webm", [.made, .soundLasts(5), .continuous(440)]),
        FaultCase("k21_aac_jit15.flv", [.made, .frames(0..<100), .continuous(440)]),
        FaultCase("k21_drift.webm", [.made, .soundLasts(60), .continuous(440)]),
    ]

    static let audioDamage: [FaultCase] = [
        FaultCase(
            "z_float_1e6.wav",
            [.either([.made, .soundLasts(0.1), .withinFullScale, .warning(.samplesClipped)], [.refused()])],
            deadline: .seconds(30)),
        FaultCase(
            "z_float_1e6.wav",
            [.either([.made, .soundLasts(0.1), .withinFullScale, .warning(.samplesClipped)], [.refused()])],
            options: ["--sandbox", "off"], deadline: .seconds(30)),
        FaultCase(
            "z_float_nan.wav",
            [.either([.made, .soundLasts(0.2), .withinFullScale, .warning(.samplesClipped)], [.refused()])],
            deadline: .seconds(30)),
        FaultCase("z_sound_destroyed.mp4", [.refused("damaged")]),
        FaultCase(
            "z_sound_destroyed.mp4", [.made, .frameCount(150...152), .warning(.damaged)], options: ["--allow-partial"]),
    ]

    // MARK: - Clocks

    static let breaks: [FaultCase] = [
        FaultCase("v2_restart.ts", [.made, .frames(0..<200), .lasts(8), .inStep(6), .warning(.clockBreak)]),
        FaultCase("v2_restart.mpg", [.made, .frames(0..<200), .lasts(8), .inStep(6), .warning(.clockBreak)]),
        FaultCase("v2_jump20.ts", [.made, .frames(0..<200), .lasts(8), .inStep(6), .warning(.clockBreak)]),
        FaultCase("v2_jump4h.ts", [.made, .frames(0..<200), .lasts(8), .inStep(6), .warning(.clockBreak)]),
        FaultCase("p_pidchange.ts", [.made, .frames(0..<200), .inStep(6), .warning(.partsJoined)]),
        FaultCase("r_cat.m2ts", [.made, .frames(0..<200), .lasts(8), .inStep(6), .warning(.clockBreak)]),
        FaultCase("r_cat.mkv", [.made, .frames(0..<200), .inStep(6), .warning(.partsJoined)]),
        FaultCase("r_cat.flv", [.made, .frames(0..<200), .inStep(6), .warning(.partsJoined)]),
        // The content of the frames is damaged too.
        FaultCase("z_one_bad_time.ts", [.made, .frameCount(28...32), .warned], options: ["--allow-partial"]),
        FaultCase(
            "z_one_bad_time.ts", [.either([.made, .frameCount(28...32), .warned], [.refused("damaged")])]),
    ]

    static let rates: [FaultCase] = [
        FaultCase("v4_slides5_move30.mkv", [.made, .rate(30), .shows(0..<95)]),
        FaultCase("v4_slides1_move30.mkv", [.made, .rate(30), .shows(0..<38)]),
        FaultCase("h_gif_mixed.gif", [.made, .greys([0, 60, 120, 180, 240])]),
        FaultCase("j_vjit10.mkv", [.made, .rate(30), .frames(0..<150)]),
        FaultCase("j_vjit20.mkv", [.made, .rate(30), .frames(0..<150)]),
        FaultCase("v13_h264_b.avi", [.made, .frames(0..<100), .inStep(3)]),
        FaultCase("v13_mpeg4_b.avi", [.made, .frames(0..<100), .inStep(3)]),
    ]

    // MARK: - Tracks that begin and end apart

    static let lateTracks: [FaultCase] = [
        FaultCase("a5_late12.ts", [.made, .frames(0..<400), .silent(0..<12.9), .inStep(3)]),
        FaultCase("a5_late12.flv", [.made, .frames(0..<400), .silent(0..<12.9), .inStep(3)]),
        // The first beep is before the first frame.
        FaultCase(
            "w_vlate12.ts",
            [.made, .frames(300..<500, heldAtStart: 302), .soundLasts(20), .inStep(2, beeps: 3...3)]),
        FaultCase(
            "w_vlate12.flv",
            [.made, .frames(300..<500, heldAtStart: 302), .soundLasts(20), .inStep(2, beeps: 3...3)]),
        FaultCase("d_longsub.mkv", [.made, .frames(0..<250), .inStep(2)]),
        FaultCase("d_longnelly.flv", [.made, .frames(0..<250, heldAtEnd: 155), .soundLasts(16), .hears(700)]),
    ]

    static let beginnings: [FaultCase] = [
        FaultCase("l_hevc_mid10.mkv", [.made, .frames(500..<1600), .warning(.startSkipped)]),
        FaultCase("l_vp8_mid10.webm", [.made, .frames(500..<1600), .warning(.startSkipped)]),
        // Audio before the first frame may be kept or left out.
        FaultCase(
            "k38_long.mkv",
            [.made, .frames(50..<1500, heldAtStart: 52), .inStep(2, beeps: 2...3), .warning(.startSkipped)]),
        FaultCase(
            "k38_nokey.flv",
            [.made, .frames(25..<100, heldAtStart: 27), .inStep(3, beeps: 3...3), .warning(.startSkipped)]),
        FaultCase("g_nostss.mp4", [.made, .frames(0..<600), .inStep(12)]),
        FaultCase(
            "g_nostss.mp4", [.made, .frames(0..<600), .inStep(12)],
            options: ["--jobs", "4", "--chunk-cpu-seconds", "0.001"]),
        FaultCase("v14_frag_cut_moof.mp4", [.refused("cut short", "missing", "ends before", "incomplete")]),
        FaultCase(
            "v14_frag_cut_moof.mp4", [.made, .frames(0..<125, heldAtStart: 1), .lasts(5), .warning(.truncated)],
            options: ["--allow-partial"]),
        // libav reads HEVC in FLV since 6.1, and Opus later.
        FaultCase("e_hevc.flv", [.either([.refused("enhanced")], [.made, .frameCount(1...1000)])]),
        FaultCase(
            "e_opus.flv", [.either([.refused("enhanced")], [.made, .sound], [.made, .warning(.trackUnused)])]),
    ]

    // MARK: - Formats

    static let formats: [FaultCase] = [
        FaultCase("c_turn.webm", [.made, .roundCircle, .warning(.formatChanges)]),
        FaultCase("c_43_169.webm", [.made, .roundCircle, .warning(.formatChanges)]),
        FaultCase("c_grow.webm", [.made, .ladder(of: 360), .roundCircle, .warning(.formatChanges)]),
        FaultCase("k2_inter12.ts", [.made, .noCombing]),
        // The other programme has a tone of 1000 Hz.
        FaultCase(
            "k43_mpts.ts", [.made, .size(640, 360), .frames(0..<100), .tones([500, 500]), .warning(.trackUnused)]),
        FaultCase("v8_crop.mkv", [.made, .size(640, 280), .darkEdges, .frames(0..<50)]),
        FaultCase("v9_36subs.mkv", [.made, .frames(0..<50), .inStep(1)]),
    ]

    /// At a quality that changes patches by less than the tolerance.
    static let fine = ["--quality", "8"]

    static let colors: [FaultCase] = [
        FaultCase("q_pq_colr.mp4", [.made, .tagged("bt709"), .toneMapped(frames: [0, 9])], options: fine),
        FaultCase("q_av1_pq.mkv", [.made, .tagged("bt709"), .toneMapped(frames: [0, 9])], options: fine),
        FaultCase("x_dovi_p5.mp4", [.either([.refused("Dolby Vision")], [.made, .redStaysRed])], options: fine),
        FaultCase("v1_untagged720.mp4", [.made, .tagged("bt709"), .patches(frames: [0, 24])], options: fine),
        FaultCase("s_601_then_709.ts", [.made, .patches(frames: [2, 20, 30, 48])], options: fine),
        FaultCase(
            "s_pq_then_sdr.mkv", [.made, .toneMapped(frames: [2, 20]), .patches(frames: [30, 48])], options: fine),
        FaultCase(
            "v11_alpha.mov", [.made, .patches([[255, 255, 255], [0, 0, 0]], columns: 2, rows: 1, frames: [0, 24])],
            options: fine),
        FaultCase(
            "v11_alpha.webm",
            [.made, .patches([[255, 255, 255], [0, 0, 0]], columns: 2, rows: 1, frames: [0, 24])],
            options: fine),
    ]

    // MARK: - Limits

    static let limits: [FaultCase] = [
        FaultCase(
            "b_burst60_6.mp4", [.made, .similar(frames: 1800..<1980, atLeast: 30, rate: "30")], preset: "medium"),
        FaultCase("b_burst12_6.mp4", [.made, .similar(frames: 360..<540, atLeast: 30, rate: "30")], preset: "medium"),
        FaultCase("v12_5760x2880.mp4", [.planned, .rungsWithinLevel52], command: .plan),
        FaultCase("v12_5760x2880.mp4", [.made, .levelsUpTo52], options: ["--heights", "180"]),
        FaultCase("z_held_80000s_4k.mp4", [.refused()], command: .plan, deadline: .seconds(60)),
        FaultCase(
            "z_held_80000s_4k.mp4", [.either([.refused()], [.made, .frameCount(239...300), .warned])],
            options: ["--heights", "180", "--allow-partial"], deadline: .seconds(60)),
    ]
}
