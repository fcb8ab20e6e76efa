internal import CFFmpeg

/// What a container and its first packets say of one stream. Values come from strangers: nothing here is checked.
public struct StreamInfo: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case video, audio, subtitle, other }

    public var index: Int
    public var kind: Kind
    public var codecName: String
    public var profileName: String?
    public var profile: Int32
    public var level: Int32
    public var timeBase: Ratio
    /// Time of the first sample in `timeBase`.
    public var startTime: Int64?
    /// Declared length in `timeBase`.
    public var duration: Int64?
    /// Declared number of samples, 0 where unknown.
    public var declaredFrames: Int64
    public var bitRate: Int64
    public var language: String?
    public var title: String?
    public var isDefault: Bool
    public var isAttachedPicture: Bool
    /// Whether this program may decode it: a decoder exists and is on the whitelist.
    public var canDecode: Bool
    public var isEncrypted: Bool
    public var codecTag: String
    public var extradata: [UInt8]

    public var width: Int32
    public var height: Int32
    public var sampleAspectRatio: Ratio
    public var pixelFormatName: String?
    /// `r_frame_rate`: the lowest rate that can represent all timestamps, a guess.
    public var baseFrameRate: Ratio
    public var averageFrameRate: Ratio
    public var isInterlaced: Bool
    public var colorPrimaries: Int32
    public var colorTransfer: Int32
    public var colorMatrix: Int32
    public var isFullRange: Bool
    /// The 3x3 display matrix, 16.16 fixed point with a 2.30 last column, or nil.
    public var displayMatrix: [Int32]?

    public var channels: Int32
    public var channelLayout: String
    public var sampleRate: Int32

    init(_ stream: UnsafeMutablePointer<AVStream>, index: Int, codecWhitelist: String) {
        let parameters = stream.pointee.codecpar.pointee
        self.index = index
        switch parameters.codec_type {
        case AVMEDIA_TYPE_VIDEO: kind = .video
        case AVMEDIA_TYPE_AUDIO: kind = .audio
        case AVMEDIA_TYPE_SUBTITLE: kind = .subtitle
        default: kind = .other
        }
        profile = parameters.profile
        level = parameters.level
        profileName = avcodec_profile_name(parameters.codec_id, parameters.profile).map { String(cString: $0) }
        timeBase = Ratio(stream.pointee.time_base)
        startTime = timestamp(stream.pointee.start_time)
        duration = timestamp(stream.pointee.duration)
        declaredFrames = stream.pointee.nb_frames
        bitRate = parameters.bit_rate
        func metadata(_ key: String) -> String? {
            clairo_dict_get(stream.pointee.metadata, key).map { String(cString: $0.pointee.value) }
        }
        language = metadata("language")
        title = metadata("title")
        isDefault = stream.pointee.disposition & AV_DISPOSITION_DEFAULT != 0
        isAttachedPicture = stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
        canDecode = Decoder.find(parameters.codec_id, whitelist: codecWhitelist) != nil
        isEncrypted =
            clairo_stream_has_side_data(stream, AV_PKT_DATA_ENCRYPTION_INIT_INFO) != 0
            || clairo_stream_has_side_data(stream, AV_PKT_DATA_ENCRYPTION_INFO) != 0
        let tag = withUnsafeBytes(of: parameters.codec_tag.littleEndian) { bytes in
            String(decoding: bytes.filter { $0 >= 32 && $0 < 127 }, as: UTF8.self)
        }
        codecTag = tag
        // A codec that libav does not know is called by what the container says.
        codecName =
            parameters.codec_id == AV_CODEC_ID_NONE && !tag.isEmpty
            ? tag : String(cString: avcodec_get_name(parameters.codec_id))
        extradata =
            parameters.extradata.map {
                Array(UnsafeBufferPointer(start: $0, count: Int(max(parameters.extradata_size, 0))))
            } ?? []
        width = parameters.width
        height = parameters.height
        sampleAspectRatio = Ratio(stream.pointee.sample_aspect_ratio)
        if !sampleAspectRatio.isUsable { sampleAspectRatio = Ratio(parameters.sample_aspect_ratio) }
        if kind == .video, parameters.format >= 0,
            let name = av_get_pix_fmt_name(AVPixelFormat(rawValue: parameters.format))
        {
            pixelFormatName = String(cString: name)
        } else {
            pixelFormatName = nil
        }
        baseFrameRate = Ratio(stream.pointee.r_frame_rate)
        averageFrameRate = Ratio(stream.pointee.avg_frame_rate)
        isInterlaced = parameters.field_order.rawValue > AV_FIELD_PROGRESSIVE.rawValue
        colorPrimaries = Int32(bitPattern: parameters.color_primaries.rawValue)
        colorTransfer = Int32(bitPattern: parameters.color_trc.rawValue)
        colorMatrix = Int32(bitPattern: parameters.color_space.rawValue)
        isFullRange = parameters.color_range == AVCOL_RANGE_JPEG || (pixelFormatName?.hasPrefix("yuvj") ?? false)
        displayMatrix = clairo_stream_display_matrix(stream).map { Array(UnsafeBufferPointer(start: $0, count: 9)) }
        channels = parameters.ch_layout.nb_channels
        sampleRate = parameters.sample_rate
        var layout = parameters.ch_layout
        var name = [CChar](repeating: 0, count: 128)
        av_channel_layout_describe(&layout, &name, name.count)
        channelLayout = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
