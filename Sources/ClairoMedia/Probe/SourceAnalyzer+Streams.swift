internal import ClairoCore
internal import Libav

/// Describes streams and selects the ones to transcode.
extension SourceAnalyzer {
    func describe(video stream: StreamInfo, tally: PacketTally) -> (VideoStream, SourceScan.VideoScan?) {
        let packets = tally.streams[stream.index] ?? PacketTally.Stream()
        let timeBase = Rational(stream.timeBase)
        let pts = packets.pts.sorted()
        let timing = FrameTiming.analyze(
            pts: pts, timeBase: timeBase,
            declared: [Rational(stream.baseFrameRate), Rational(stream.averageFrameRate)].sorted {
                // A standard rate is more reliable than an average over the first seconds.
                FrameTiming.standardRates.contains($0) && !FrameTiming.standardRates.contains($1)
            })
        let start = Rational(pts.first ?? 0) * timeBase
        let frame = timing.rate.inverse
        let end = pts.isEmpty ? start : Rational(pts.last ?? 0) * timeBase + frame
        let orientation = Orientation(displayMatrix: stream.displayMatrix)
        let coded = FrameSize(width: Int(stream.width), height: Int(stream.height))
        let seconds = (end - start).doubleValue
        var description = VideoStream(
            index: stream.index, codec: stream.codecName, profile: stream.profileName,
            pixelFormat: stream.pixelFormatName ?? "unknown", bitDepth: 8, codedSize: coded,
            sampleAspectRatio: Rational(1), orientation: orientation, displaySize: coded, frameRate: timing.rate,
            isVariableFrameRate: timing.isVariable, isInterlaced: stream.isInterlaced,
            color: ColorDescription(
                primaries: Int(stream.colorPrimaries), transfer: Int(stream.colorTransfer),
                matrix: Int(stream.colorMatrix), isFullRange: stream.isFullRange),
            dynamicRange: DynamicRange(transfer: Int(stream.colorTransfer)), frameCount: pts.count,
            bitRate: seconds > 0 ? Int64(clampedFrom: Double(packets.bytes) * 8 / seconds) : 0,
            start: start.doubleValue,
            end: end.doubleValue, keyFrameCount: packets.keyFrames.count, language: stream.language,
            isAttachedPicture: stream.isAttachedPicture, canDecode: stream.canDecode)
        description.apply(sampleAspectRatio: stream.sampleAspectRatio)
        guard !pts.isEmpty else { return (description, nil) }
        return (
            description,
            SourceScan.VideoScan(
                timeBase: timeBase, pts: pts, keyFrames: packets.keyFrames,
                keyFrameBytes: packets.keyFrameBytes, end: end, start: start, stream: stream)
        )
    }

    func describe(audio stream: StreamInfo, tally: PacketTally) -> AudioStream {
        let packets = tally.streams[stream.index] ?? PacketTally.Stream()
        let timeBase = Rational(stream.timeBase)
        let first = stream.startTime ?? packets.pts.min() ?? 0
        let start = Rational(max(first, packets.pts.min() ?? first)) * timeBase
        let end = Rational(packets.endTime ?? first) * timeBase
        let seconds = (end - start).doubleValue
        return AudioStream(
            index: stream.index, codec: stream.codecName, profile: stream.profileName, channels: Int(stream.channels),
            layout: stream.channelLayout, sampleRate: Int(stream.sampleRate),
            bitRate: seconds > 0 ? Int64(clampedFrom: Double(packets.bytes) * 8 / seconds) : stream.bitRate,
            start: start.doubleValue, end: max(end, start).doubleValue, language: stream.language, title: stream.title,
            isDefault: stream.isDefault, canDecode: stream.canDecode && packets.count > 0)
    }

    /// Selects the largest decodable video stream, never a cover image.
    func selectVideo(_ streams: [VideoStream]) -> Int? {
        streams.filter { !$0.isAttachedPicture && $0.canDecode && $0.frameCount > 0 && $0.codedSize.pixels > 0 }
            .max {
                ($0.frameCount > 1 ? 1 : 0, $0.codedSize.pixels, $0.bitRate, -$0.index)
                    < ($1.frameCount > 1 ? 1 : 0, $1.codedSize.pixels, $1.bitRate, -$1.index)
            }?.index
    }

    /// Selects the best audio track of each language, the default one first.
    func selectAudio(_ streams: [AudioStream]) -> [Int] {
        let usable = streams.filter { $0.canDecode && $0.channels > 0 && $0.sampleRate > 0 && $0.end > $0.start }
        let byLanguage = Dictionary(grouping: usable) { ISO639.code($0.language) }
        let best = byLanguage.values.compactMap { tracks in
            tracks.max {
                ($0.isDefault ? 1 : 0, $0.channels, $0.bitRate, -$0.index)
                    < ($1.isDefault ? 1 : 0, $1.channels, $1.bitRate, -$1.index)
            }
        }
        return best.sorted { ($0.isDefault ? 0 : 1, $0.index) < ($1.isDefault ? 0 : 1, $1.index) }.map(\.index)
    }
}

extension DynamicRange {
    /// Converts transfer characteristics (H.273).
    init(transfer: Int) {
        switch transfer {
        case 16: self = .hdr10
        case 18: self = .hlg
        default: self = .sdr
        }
    }
}

extension VideoStream {
    /// Computes the display size from the coded size, the pixel shape and the orientation.
    mutating func apply(sampleAspectRatio ratio: Ratio?) {
        let shape = ratio.map { Rational($0) } ?? Rational(1)
        let isSane = shape > Rational(1, 10) && shape < Rational(10)
        sampleAspectRatio = isSane ? shape : Rational(1)
        let width = max(1, Int((Rational(Int64(codedSize.width)) * sampleAspectRatio).rounded))
        displaySize =
            orientation.swapsSides
            ? FrameSize(width: codedSize.height, height: width)
            : FrameSize(width: width, height: codedSize.height)
    }
}

extension Orientation {
    /// The right-angle orientation nearest to a display matrix (ISO/IEC 14496-12, 6.2.2); upright if the matrix is
    /// missing or empty.
    init(displayMatrix matrix: [Int32]?) {
        guard let matrix, matrix.count == 9 else {
            self = .upright
            return
        }
        let (a, b, c, d) = (Double(matrix[0]), Double(matrix[1]), Double(matrix[3]), Double(matrix[4]))
        let isMirrored = a * d - b * c < 0
        // Undo the mirroring, which negates the first row. Then the direction of the x axis gives the rotation.
        let (x, y) = isMirrored ? (-a, -b) : (a, b)
        let rotation: Int
        if abs(x) >= abs(y) { rotation = x >= 0 ? 0 : 180 } else { rotation = y > 0 ? 90 : 270 }
        self.init(rotation: a == 0 && b == 0 ? 0 : rotation, isMirrored: isMirrored)
    }
}
