internal import ClairoCore
internal import Foundation

extension AV1 {
    /// What a sequence header says about the format (AV1 specification, 5.5.1).
    struct SequenceHeader: Hashable {
        var profile = 0
        /// `seq_level_idx` of the first operating point.
        var level = 0
        /// 1 for the High tier.
        var tier = 0
        var bitDepth = 8
        var isMonochrome = false
        /// `subsampling_x` and `subsampling_y`, two bits: 3 for 4:2:0.
        var subsampling = 3
        var chromaPosition = 0
        var color = ColorDescription.unspecified

        init?(_ payload: Data) {
            var reader = BitReader(payload)
            guard let profile = reader.bits(3), reader.skip(1), let isReduced = reader.flag() else {
                return nil
            }
            self.profile = profile
            if isReduced {
                guard let level = reader.bits(5) else { return nil }
                self.level = level
            } else {
                guard readOperatingPoints(&reader) else { return nil }
            }
            guard Self.skipTools(&reader, isReduced: isReduced), readColor(&reader) else { return nil }
        }

        private mutating func readOperatingPoints(_ reader: inout BitReader) -> Bool {
            // Clairo's encoders and files with constant frame rates carry no timing information, which would follow.
            guard reader.flag() == false, let hasDelay = reader.flag(), let count = reader.bits(5) else { return false }
            for index in 0...count {
                guard reader.skip(12), let level = reader.bits(5) else { return false }
                var tier = 0
                if level > 7 {
                    guard let bit = reader.bits(1) else { return false }
                    tier = bit
                }
                if hasDelay {
                    guard let isPresent = reader.flag(), reader.skip(isPresent ? 4 : 0) else { return false }
                }
                if index == 0 { (self.level, self.tier) = (level, tier) }
            }
            return true
        }

        /// Skips from the frame size to the coding tools.
        private static func skipTools(_ reader: inout BitReader, isReduced: Bool) -> Bool {
            guard let widthBits = reader.bits(4), let heightBits = reader.bits(4),
                reader.skip(widthBits + heightBits + 2)
            else { return false }
            if !isReduced {
                guard let hasFrameIDs = reader.flag(), reader.skip(hasFrameIDs ? 7 : 0) else { return false }
            }
            // 128x128 superblocks, filter intra, intra edge filter.
            guard reader.skip(3) else { return false }
            if !isReduced {
                // Interintra, masked compound, warped motion, dual filter.
                guard reader.skip(4), let hasOrder = reader.flag(), reader.skip(hasOrder ? 2 : 0),
                    let choosesScreenTools = reader.flag()
                else { return false }
                var hasScreenTools = true
                if !choosesScreenTools {
                    guard let isForced = reader.flag() else { return false }
                    hasScreenTools = isForced
                }
                if hasScreenTools {
                    guard let choosesInteger = reader.flag(), reader.skip(choosesInteger ? 0 : 1) else {
                        return false
                    }
                }
                guard reader.skip(hasOrder ? 3 : 0) else { return false }
            }
            // Super-resolution, CDEF, loop restoration.
            return reader.skip(3)
        }

        /// Reads `color_config` (5.5.2).
        private mutating func readColor(_ reader: inout BitReader) -> Bool {
            guard let isHigh = reader.flag() else { return false }
            bitDepth = isHigh ? 10 : 8
            if profile == 2, isHigh {
                guard let isTwelve = reader.flag() else { return false }
                bitDepth = isTwelve ? 12 : 10
            }
            if profile != 1 {
                guard let flag = reader.flag() else { return false }
                isMonochrome = flag
            }
            guard let hasColor = reader.flag() else { return false }
            if hasColor {
                guard let primaries = reader.bits(8), let transfer = reader.bits(8), let matrix = reader.bits(8) else {
                    return false
                }
                color = ColorDescription(
                    primaries: primaries, transfer: transfer, matrix: matrix, isFullRange: false)
            }
            if (color.primaries, color.transfer, color.matrix) == (1, 13, 0), !isMonochrome {
                (color.isFullRange, subsampling) = (true, 0)
                return true
            }
            guard let isFull = reader.flag() else { return false }
            color.isFullRange = isFull
            if isMonochrome { return true }
            if profile == 1 {
                subsampling = 0
            } else if profile == 2 {
                subsampling = 2
                if bitDepth == 12 {
                    guard let horizontal = reader.bits(1), let vertical = reader.bits(horizontal) else { return false }
                    subsampling = horizontal << 1 | vertical
                }
            }
            if subsampling == 3 {
                guard let position = reader.bits(2) else { return false }
                chromaPosition = position
            }
            return true
        }
    }
}
