internal import ClairoCore
internal import Libav

/// Limits on untrusted input. Everything that is not explicitly allowed is rejected.
public struct InputLimits: Sendable, Hashable {
    /// The maximum number of pixels per frame. The default allows 8K.
    public var maxPixels: Int64
    /// The maximum number of video and audio streams.
    public var maxStreams: Int
    /// The maximum number of frames in the source. The default is two days at 60 frames per second.
    public var maxFrames: Int
    /// The maximum duration of the output in seconds. With the frame-rate limit it also bounds the number of frames.
    public var maxDuration: Double
    /// The maximum predicted CPU time of a job in hours. Its other costs are limited in proportion (`CostLimits`).
    public var maxCPUHours: Double
    /// The longest time in seconds in which no stream sends anything and which stays a gap in the output. After a longer
    /// one the clock is taken to have jumped, and the parts are joined.
    public var maxGap: Double
    /// The maximum number of bytes to read to detect the format.
    public var probeBytes: Int64

    public init(
        maxPixels: Int64 = 36_864_000, maxStreams: Int = 32, maxFrames: Int = 10_000_000, maxDuration: Double = 86_400,
        probeBytes: Int64 = 20_000_000, maxCPUHours: Double = 200, maxGap: Double = 5
    ) {
        self.maxPixels = maxPixels
        self.maxStreams = maxStreams
        self.maxFrames = maxFrames
        self.maxDuration = maxDuration
        self.maxCPUHours = maxCPUHours
        self.maxGap = maxGap
        self.probeBytes = probeBytes
    }

    /// Self-contained container formats. Playlists, scripts, documents and device formats are excluded.
    static let formats = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,aac,flac,gif"

    /// The decoders for what these containers hold. Left out are formats that are obscure today and whose decoders have
    /// a history of memory errors: MPEG-4 ALS, QDesign Music, MACE, the codecs of RealMedia and of games, ATRAC,
    /// Dolby E, Sorenson Video, Indeo, CineForm, JPEG 2000 and codecs of screen recorders.
    static let codecs = (videoCodecs + audioCodecs).joined(separator: ",")

    /// Delivery and camera formats; then formats of editors, archives and capture programs that are simple and common
    /// in AVI, QuickTime and Matroska, and VP6 of old FLV files. libvpx decodes the alpha channel of VP8 and VP9.
    private static let videoCodecs = [
        "h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "libdav1d", "mpeg4", "mpeg2video", "mpeg1video", "h263",
        "flv", "msmpeg4", "msmpeg4v1", "msmpeg4v2", "wmv1", "wmv2", "wmv3", "vc1", "mjpeg", "prores", "dnxhd",
        "dvvideo", "theora", "gif",
        "rawvideo", "v210", "ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle", "png", "cinepak", "vp6f", "vp6a",
    ]

    /// Delivery formats; then speech codecs of telephones and recorders, which have frames of a fixed size; then PCM
    /// and ADPCM.
    private static let audioCodecs = [
        "aac", "aac_latm", "mp3float", "mp3", "mp2float", "mp2", "mp1float", "mp1", "opus", "vorbis", "ac3", "eac3",
        "truehd", "mlp", "dca", "flac", "alac", "tta", "wavpack", "wmav1", "wmav2", "wmapro", "wmalossless",
        "nellymoser",
        "amrnb", "amrwb", "speex", "wmavoice", "qcelp", "evrc", "gsm", "gsm_ms", "g723_1", "g729",
        "pcm_s8", "pcm_u8", "pcm_s16le", "pcm_s16be", "pcm_u16le", "pcm_u16be", "pcm_s24le", "pcm_s24be", "pcm_u24le",
        "pcm_u24be", "pcm_s32le", "pcm_s32be", "pcm_u32le", "pcm_u32be", "pcm_s64le", "pcm_s64be", "pcm_f16le",
        "pcm_f24le", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_s8_planar", "pcm_s16le_planar",
        "pcm_s16be_planar", "pcm_s24le_planar", "pcm_s32le_planar", "pcm_alaw", "pcm_mulaw", "pcm_bluray", "pcm_dvd",
        "s302m", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "adpcm_swf", "adpcm_yamaha", "g722", "g726", "g726le",
    ]

    var demuxerOptions: DemuxerOptions {
        DemuxerOptions(
            formatWhitelist: Self.formats, codecWhitelist: Self.codecs, probeBytes: probeBytes,
            maxStreams: Int32(clamping: max(maxStreams, Self.maxContainerStreams)), maxPixels: maxPixels)
    }

    /// The number of streams of any kind beyond which libav refuses a file. Subtitles, attachments and data are not
    /// decoded, so that many of them cost little.
    static let maxContainerStreams = 1000

    /// - Throws: `badInput` (65) if a file has more video and audio streams than allowed. Cover images do not count.
    func check(streams: [StreamInfo], name: String) throws(ClairoError) {
        let count = streams.filter { ($0.kind == .video && !$0.isAttachedPicture) || $0.kind == .audio }.count
        guard count > maxStreams else { return }
        throw .badMedia(
            "\(name) has \(count) video and audio streams, more than the limit of \(maxStreams)",
            advice: "Raise the limit with --max-streams if you trust the file.")
    }
}
