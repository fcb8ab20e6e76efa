internal import ClairoCore
internal import Libav

/// Buffers samples until they fill an access unit, and bounds them for the encoder.
///
/// A decoder of float samples may return any value, also infinity and values that are not numbers, with which an
/// encoder may fail or never end. Every sample that leaves this buffer is between -1 and 1.
struct SampleBuffer {
    /// Samples above it are counted: 12 dB over full scale. Lossy codecs exceed full scale by a few decibels, which is
    /// not worth a warning.
    private static let loudest: Float = 4

    private var channels: [[Float]]
    private var start = 0
    /// Samples that were not finite and became silence, of all channels.
    private(set) var nonFiniteCount = 0
    /// Samples more than 12 dB over full scale that were limited to it, of all channels.
    private(set) var loudCount = 0

    init(channels: Int) { self.channels = Array(repeating: [], count: channels) }

    var count: Int { (channels.first?.count ?? 0) - start }

    /// What was replaced in the samples so far, or nil.
    var warning: MediaWarning? {
        var parts: [String] = []
        if nonFiniteCount > 0 { parts.append("\(nonFiniteCount) audio samples are not numbers and became silence") }
        if loudCount > 0 {
            parts.append("\(loudCount) audio samples exceed full scale by more than 12 dB and were limited to it")
        }
        guard !parts.isEmpty else { return nil }
        return MediaWarning(
            .samplesClipped, parts.joined(separator: ", "),
            advice: "Lower the level of the source if the output is distorted.")
    }

    mutating func append(silence count: Int) {
        guard count > 0 else { return }
        for index in channels.indices { channels[index].append(contentsOf: repeatElement(0, count: count)) }
    }

    /// Appends a part of a block.
    /// - Parameter extra: The number of samples by which it is stretched; negative to shrink it.
    mutating func append(_ frame: Frame, range: Range<Int>, extra: Int = 0) {
        guard !range.isEmpty else { return }
        for index in channels.indices {
            let end = channels[index].count
            _ = frame.withSamples(channel: index) { samples in
                let part = UnsafeBufferPointer(rebasing: samples[range])
                if extra == 0 {
                    channels[index].append(contentsOf: part)
                } else {
                    channels[index].append(contentsOf: SampleStretch.stretched(part, by: extra))
                }
            }
            let replaced = channels[index].withUnsafeMutableBufferPointer { samples in
                Self.bound(UnsafeMutableBufferPointer(rebasing: samples[end...]))
            }
            nonFiniteCount += replaced.nonFinite
            loudCount += replaced.loud
        }
    }

    /// Replaces samples that are not finite by silence and limits the others to full scale. Without branches, so that
    /// the compiler uses vector instructions.
    private static func bound(_ samples: UnsafeMutableBufferPointer<Float>) -> (nonFinite: Int, loud: Int) {
        var nonFinite: Int32 = 0
        var loud: Int32 = 0
        for index in samples.indices {
            let value = samples[index]
            let magnitude = value.magnitude
            // False for a value that is not a number.
            let isFinite = magnitude < Float.infinity
            nonFinite &+= isFinite ? 0 : 1
            loud &+= isFinite && magnitude > loudest ? 1 : 0
            let limited: Float = value > 1 ? 1 : (value < -1 ? -1 : value)
            samples[index] = isFinite ? limited : 0
        }
        return (Int(nonFinite), Int(loud))
    }

    /// Removes and returns the next `count` samples of each channel, padded with silence at the end.
    mutating func take(_ count: Int) -> [ArraySlice<Float>] {
        append(silence: count - self.count)
        let taken = channels.map { $0[start..<start + count] }
        start += count
        // Compact rarely, because it moves all remaining samples.
        if start > 1 << 16 {
            for index in channels.indices { channels[index].removeFirst(start) }
            start = 0
        }
        return taken
    }
}
