internal import CFFmpeg

/// The channels of a block of audio.
extension Frame {
    /// How the channels of a block of audio are described.
    public enum ChannelOrder: Sendable, Hashable {
        /// Only their number is known.
        case unspecified
        /// By their positions, in libav's order.
        case native
        /// By their positions, in any order.
        case custom
        /// As components of a sound field. The first is the omnidirectional one (W).
        case ambisonic
    }

    /// How the channels are described.
    public var channelOrder: ChannelOrder {
        switch pointer.pointee.ch_layout.order {
        case AV_CHANNEL_ORDER_UNSPEC: .unspecified
        case AV_CHANNEL_ORDER_NATIVE: .native
        case AV_CHANNEL_ORDER_AMBISONIC: .ambisonic
        default: .custom
        }
    }

    /// libav's name of the channel layout, such as `5.1(side)` or `9 channels`.
    public var channelLayoutName: String { pointer.pointee.ch_layout.name }

    /// The position of each channel as a value of libav's `AVChannel`; negative if it is unknown.
    public var channelPositions: [Int32] {
        (0..<max(channels, 0)).map { clairo_frame_channel(pointer, UInt32($0)) }
    }

    /// Makes a frame of some of the channels.
    /// - Parameters:
    ///   - indexes: Indexes of the channels to copy. One may occur more than once.
    ///   - mask: The positions of the copies in libav's native order: bit `n` is the `AVChannel` with the value `n`.
    public func selecting(channels indexes: [Int], as mask: UInt64) throws(AVError) -> Frame {
        let available = 0..<max(channels, 0)
        guard sampleCount > 0, !indexes.isEmpty, indexes.count == mask.nonzeroBitCount,
            indexes.allSatisfy({ available.contains($0) })
        else { throw .invalidArgument }
        let copy = Frame(adopting: try checkAllocated(av_frame_alloc()))
        copy.pointer.pointee.format = pointer.pointee.format
        copy.pointer.pointee.sample_rate = pointer.pointee.sample_rate
        copy.pointer.pointee.nb_samples = pointer.pointee.nb_samples
        copy.pointer.pointee.pts = pointer.pointee.pts
        copy.pointer.pointee.best_effort_timestamp = pointer.pointee.best_effort_timestamp
        try check(av_channel_layout_from_mask(&copy.pointer.pointee.ch_layout, mask))
        try check(av_frame_get_buffer(copy.pointer, 0))
        let sources: [Int32] = indexes.map { Int32($0) }
        clairo_frame_copy_channels(copy.pointer, pointer, sources)
        return copy
    }
}
