internal import CFFmpeg

/// The description of a stream from its container and first packets. The values are untrusted and unchecked.
public struct StreamInfo: Sendable, Hashable {
    /// The kind of a stream.
    public enum Kind: String, Sendable, Hashable { case video, audio, subtitle, other }

    /// The index of the stream in the file.
    public var index: Int
    /// The kind of the stream.
    public var kind: Kind
    /// libav's codec name, such as `h264`.
    public var codecName: String
    /// Name of the codec profile, for people.
    public var profileName: String?
    /// libav's value of the profile; negative if unknown.
    public var profile: Int32
    /// Level of the profile; negative if unknown.
    public var level: Int32
    /// The time base of its timestamps.
    public var timeBase: Ratio
    /// Time of the first sample in `timeBase`.
    public var startTime: Int64?
    /// Declared length in `timeBase`.
    public var duration: Int64?
    /// The declared number of samples; 0 if unknown.
    public var declaredFrames: Int64
    /// The declared rate in bits per second; 0 if unknown.
    public var bitRate: Int64
    /// Language from the container.
    public var language: String?
    /// Title from the container.
    public var title: String?
    /// Whether the container marks it as default.
    public var isDefault: Bool
    /// Whether the container marks it as a commentary.
    public var isCommentary: Bool
    /// Whether the container marks it as a description of what is seen.
    public var isDescription: Bool
    /// Whether the container marks it as a commentary, a description or a version for some of the audience.
    public var hasRole: Bool
    /// Whether it is marked as text for parts in a foreign language only.
    public var isForced: Bool
    /// Whether it is marked as a version for people who do not hear well.
    public var isForHearingImpaired: Bool
    /// Whether it is a cover image.
    public var isAttachedPicture: Bool
    /// Whether the program can decode it: a decoder exists and is on the allow-list.
    public var canDecode: Bool
    /// Whether its content is encrypted.
    public var isEncrypted: Bool
    /// The container's tag of the codec, such as `avc1`.
    public var codecTag: String
    /// Codec configuration, such as the payload of `avcC`.
    public var extradata: [UInt8]

    /// Width in pixels.
    public var width: Int32
    /// Height in pixels.
    public var height: Int32
    /// Shape of a pixel; 0/1 if unknown.
    public var sampleAspectRatio: Ratio
    /// libav's name of the pixel format.
    public var pixelFormatName: String?
    /// `r_frame_rate`: the lowest rate that can represent all timestamps, a guess.
    public var baseFrameRate: Ratio
    /// The frame rate that the container declares.
    public var averageFrameRate: Ratio
    /// Whether it is marked as interlaced.
    public var isInterlaced: Bool
    /// Color primaries (H.273).
    public var colorPrimaries: Int32
    /// Transfer characteristics (H.273).
    public var colorTransfer: Int32
    /// Matrix coefficients (H.273).
    public var colorMatrix: Int32
    /// Full range instead of limited range.
    public var isFullRange: Bool
    /// The 3x3 display matrix, 16.16 fixed point with a 2.30 last column, or nil.
    public var displayMatrix: [Int32]?
    /// The Dolby Vision profile, or nil.
    public var dolbyVisionProfile: Int?
    /// What the base layer of Dolby Vision is without Dolby Vision: 0 nothing, 1 and 6 HDR10, 2 SDR, 4 HLG
    /// (`dv_bl_signal_compatibility_id`).
    public var dolbyVisionCompatibility: Int?
    /// The static metadata of HDR10 in the container.
    public var hdrMetadata: HDRMetadata
    /// Whether the container says that VP8 or VP9 frames come with an opacity (`alpha_mode` in Matroska).
    public var hasAlphaMode: Bool
    /// The ids of the programmes of a transport stream that contain it.
    public var programs: [Int]

    /// Audio channels.
    public var channels: Int32
    /// Channel layout, such as `stereo` or `5.1(side)`.
    public var channelLayout: String
    /// Audio samples per second.
    public var sampleRate: Int32

    init(
        _ stream: UnsafeMutablePointer<AVStream>, index: Int, codecWhitelist: String, programs: [Int]
    ) {
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
        let roles =
            AV_DISPOSITION_COMMENT | AV_DISPOSITION_HEARING_IMPAIRED | AV_DISPOSITION_VISUAL_IMPAIRED
            | AV_DISPOSITION_DUB | AV_DISPOSITION_ORIGINAL
        hasRole = stream.pointee.disposition & roles != 0
        func isMarked(_ disposition: Int32) -> Bool { stream.pointee.disposition & disposition != 0 }
        isCommentary = isMarked(AV_DISPOSITION_COMMENT)
        isDescription = isMarked(AV_DISPOSITION_VISUAL_IMPAIRED | AV_DISPOSITION_DESCRIPTIONS)
        isForced = isMarked(AV_DISPOSITION_FORCED)
        isForHearingImpaired = isMarked(AV_DISPOSITION_HEARING_IMPAIRED | AV_DISPOSITION_CAPTIONS)
        isAttachedPicture = stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
        canDecode = Decoder.find(parameters.codec_id, whitelist: codecWhitelist) != nil
        isEncrypted =
            clairo_stream_has_side_data(stream, AV_PKT_DATA_ENCRYPTION_INIT_INFO) != 0
            || clairo_stream_has_side_data(stream, AV_PKT_DATA_ENCRYPTION_INFO) != 0
        let tag = withUnsafeBytes(of: parameters.codec_tag.littleEndian) { bytes in
            String(decoding: bytes.filter { $0 >= 32 && $0 < 127 }, as: UTF8.self)
        }
        codecTag = tag
        // For a codec unknown to libav, use the name from the container.
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
        var (dolbyProfile, dolbyCompatibility): (Int32, Int32) = (0, 0)
        let isDolbyVision = clairo_stream_dolby_vision(stream, &dolbyProfile, &dolbyCompatibility) != 0
        dolbyVisionProfile = isDolbyVision ? Int(dolbyProfile) : nil
        dolbyVisionCompatibility = isDolbyVision ? Int(dolbyCompatibility) : nil
        hdrMetadata = HDRMetadata(stream)
        hasAlphaMode = metadata("alpha_mode") == "1"
        self.programs = programs
        channels = parameters.ch_layout.nb_channels
        sampleRate = parameters.sample_rate
        channelLayout = parameters.ch_layout.name
    }
}

extension AVChannelLayout {
    /// libav's name of the layout, such as `5.1(side)`.
    var name: String {
        var layout = self
        var name = [CChar](repeating: 0, count: 128)
        av_channel_layout_describe(&layout, &name, name.count)
        return String(nullTerminated: name)
    }
}
