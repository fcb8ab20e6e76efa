internal import ClairoCore
internal import Foundation

/// The description of a track in its `trak` box, used in init segments and progressive MP4 files.
struct TrackDescription: Hashable, Sendable {
    /// The media of the track and its decoder configuration.
    enum Media: Hashable, Sendable {
        case video(Video)
        case audio(Audio)
    }

    struct Video: Hashable, Sendable {
        var codec: VideoCodec
        var size: FrameSize
        /// The payload of the configuration box, such as `avcC`.
        var configuration: Data
        var color: ColorDescription
        /// Nil for video in SDR.
        var hdr: HDRDescription?
        /// Nil if the plan does not limit it.
        var bitRate: BitRateBox?
    }

    struct Audio: Hashable, Sendable {
        var codec: AudioCodec
        var channels: Int
        var sampleRate: Int
        /// See `AudioCoding.configuration`.
        var configuration: Data
        /// In bits per second.
        var bitRate: Int64
    }

    var media: Media
    /// Ticks per second.
    var timescale: Int64
    /// The three-letter ISO 639-2/T code.
    var language: String
    /// Ticks at the start that are not presented: the priming of audio, or the delay of frame reordering. Written as an edit
    /// list.
    var priming: Int64

    /// The name of the track for people; nil for none.
    var title: String?

    var isVideo: Bool { if case .video = media { true } else { false } }
    var isH264: Bool { if case .video(let video) = media { video.codec == .h264 } else { false } }

    /// Writes `trak`.
    /// - Parameters:
    ///   - isEnabled: Whether players play the track unless another one is chosen.
    ///   - duration: The presented duration in ticks; 0 in an init segment, because fragments have the times.
    ///   - sampleTables: Writes the boxes after `stsd` in `stbl`.
    func write(
        to writer: inout BoxWriter, trackID: UInt32, isEnabled: Bool = true, movieTimescale: Int64, duration: Int64,
        mediaDuration: Int64,
        sampleTables: (inout BoxWriter) -> Void
    ) {
        let movieDuration = (Rational(duration, timescale) * Rational(movieTimescale)).rounded
        writer.box("trak") { trak in
            // Flags: the track is enabled, and it is used in the presentation.
            trak.fullBox("tkhd", version: 1, flags: isEnabled ? 3 : 2) { box in
                box.u64(0)
                box.u64(0)
                box.u32(trackID)
                box.u32(0)
                box.u64(UInt64(movieDuration))
                box.zeros(8)
                box.u16(0)
                // The alternate group: players play one of the audio tracks.
                box.u16(isVideo ? 0 : 1)
                box.u16(isVideo ? 0 : 0x0100)
                box.u16(0)
                for value: UInt32 in [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000] { box.u32(value) }
                if case .video(let video) = media {
                    box.u32(UInt32(video.size.width) << 16)
                    box.u32(UInt32(video.size.height) << 16)
                } else {
                    box.zeros(8)
                }
            }
            if priming > 0 {
                trak.box("edts") { edts in
                    edts.fullBox("elst", version: 1) { box in
                        box.u32(1)
                        box.u64(UInt64(movieDuration))
                        box.u64(UInt64(priming))
                        box.u16(1)
                        box.u16(0)
                    }
                }
            }
            trak.box("mdia") { mdia in
                mdia.fullBox("mdhd", version: 1) { box in
                    box.u64(0)
                    box.u64(0)
                    box.u32(UInt32(timescale))
                    box.u64(UInt64(mediaDuration))
                    box.u16(packedLanguage)
                    box.u16(0)
                }
                mdia.fullBox("hdlr") { box in
                    box.u32(0)
                    box.text(isVideo ? "vide" : "soun")
                    box.zeros(12)
                    box.text(title ?? (isVideo ? "VideoHandler" : "SoundHandler"))
                    box.u8(0)
                }
                mdia.box("minf") { minf in
                    if isVideo {
                        minf.fullBox("vmhd", flags: 1) { $0.zeros(8) }
                    } else {
                        minf.fullBox("smhd") { $0.zeros(4) }
                    }
                    minf.box("dinf") { dinf in
                        dinf.fullBox("dref") { dref in
                            dref.u32(1)
                            // The media is in this file.
                            dref.fullBox("url ", flags: 1) { _ in }
                        }
                    }
                    minf.box("stbl") { stbl in
                        stbl.fullBox("stsd") { box in
                            box.u32(1)
                            writeSampleEntry(to: &box)
                        }
                        sampleTables(&stbl)
                    }
                }
            }
        }
    }

    /// The language for `mdhd`: three letters of five bits each.
    private var packedLanguage: UInt16 {
        let letters = language.lowercased().utf8.filter { (97...122).contains($0) }
        let code = letters.count == 3 ? letters : Array("und".utf8)
        return code.reduce(0) { $0 << 5 | UInt16($1 - 0x60) }
    }

    private func writeSampleEntry(to writer: inout BoxWriter) {
        switch media {
        case .video(let video): VideoSampleEntry.write(video, to: &writer)
        case .audio(let audio): audio.codec.coding.writeSampleEntry(audio, to: &writer)
        }
    }
}

extension TrackDescription {
    /// The track of a rung.
    init(_ rung: Rung, of video: VideoPlan, configuration: Data, priming: Int64) {
        self.init(
            media: .video(
                Video(
                    codec: rung.codec, size: rung.size, configuration: configuration, color: video.color(of: rung),
                    hdr: rung.dynamicRange == .sdr ? nil : video.hdr,
                    // Init segments of older versions, whose plans have no delay, do not change.
                    bitRate: rung.isCopy || video.presentationDelay == nil
                        ? nil : BitRateBox(bufferSize: rung.bufferSize, maximum: rung.maxRate, average: 0))),
            timescale: video.grid.timescale, language: "und", priming: priming)
    }

    /// The track of planned audio.
    init(_ track: AudioPlan, configuration: Data, priming: Int64) {
        self.init(
            media: .audio(
                Audio(
                    codec: track.codec, channels: track.channels, sampleRate: AudioPlan.sampleRate,
                    configuration: configuration, bitRate: track.bitRate)),
            timescale: track.timescale, language: ISO639.threeLetters(track.language), priming: priming,
            // It ends at the first zero byte.
            title: track.title.flatMap { $0.isEmpty || $0.utf8.contains(0) ? nil : $0 })
    }
}
