internal import ClairoCore
internal import Foundation
internal import Libav

extension VideoEncoderSettings {
    /// What the encoders of all codecs have in common: size, rate, GOP and colour of a rung, in one thread.
    init(_ encoder: String, _ rung: Rung, of video: VideoPlan, options: [(String, String)]) {
        let (rate, color) = (video.grid.frameRate, video.color(of: rung))
        self.init(
            encoder: encoder, width: rung.size.width, height: rung.size.height,
            frameRate: Ratio(Int32(clamping: rate.num), Int32(clamping: rate.den)), gopFrames: video.grid.gopFrames,
            maxRate: rung.maxRate, bufferSize: rung.bufferSize, options: options, threads: 1,
            colorPrimaries: Int32(color.primaries), colorTransfer: Int32(color.transfer),
            colorMatrix: Int32(color.matrix))
    }
}
