internal import Libav

/// Limits on untrusted input. Everything that is not explicitly allowed is rejected.
public struct InputLimits: Sendable, Hashable {
    /// The maximum number of pixels per frame. The default allows 8K.
    public var maxPixels: Int64
    /// The maximum number of streams.
    public var maxStreams: Int
    /// The maximum number of frames in the source. The default is two days at 60 frames per second.
    public var maxFrames: Int
    /// The maximum duration of the output in seconds. With the frame-rate limit it also bounds the number of frames.
    public var maxDuration: Double
    /// The maximum number of bytes to read to detect the format.
    public var probeBytes: Int64

    public init(
        maxPixels: Int64 = 36_864_000, maxStreams: Int = 32, maxFrames: Int = 10_000_000, maxDuration: Double = 86_400,
        probeBytes: Int64 = 20_000_000
    ) {
        self.maxPixels = maxPixels
        self.maxStreams = maxStreams
        self.maxFrames = maxFrames
        self.maxDuration = maxDuration
        self.probeBytes = probeBytes
    }

    /// Self-contained container formats. Playlists, scripts, documents and device formats are excluded.
    static let formats = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,aac,flac,gif"

    static let codecs = [
        "h264", "hevc", "vp8", "vp9", "libdav1d", "mpeg4", "mpeg2video", "mpeg1video", "h263", "flv", "msmpeg4",
        "msmpeg4v2", "wmv1", "wmv2", "wmv3", "vc1", "mjpeg", "prores", "dnxhd", "dvvideo", "theora", "gif",
        "aac", "mp3float", "mp3", "mp2float", "mp2", "opus", "vorbis", "ac3", "eac3", "flac", "alac", "dca", "amrnb",
        "amrwb", "wmav1", "wmav2", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le",
        "pcm_u8", "pcm_alaw", "pcm_mulaw", "adpcm_ima_wav", "adpcm_ms",
    ].joined(separator: ",")

    var demuxerOptions: DemuxerOptions {
        DemuxerOptions(
            formatWhitelist: Self.formats, codecWhitelist: Self.codecs, probeBytes: probeBytes,
            maxStreams: Int32(clamping: maxStreams), maxPixels: maxPixels)
    }
}
