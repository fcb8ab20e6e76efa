import ClairoCore
import ClairoTestSupport
import Foundation

/// A part of the right result for a file. Expectations are combined in lists, all of which must hold.
struct FaultExpectation: Sendable {
    /// Describes what is wrong; empty if the result is right.
    var failures: @Sendable (FaultOutput) async throws -> [String]

    /// What is wrong, up to the first expectation that fails because there is no output.
    static func wrong(_ expectations: [FaultExpectation], _ output: FaultOutput) async -> [String] {
        var found: [String] = []
        for expectation in expectations {
            do {
                found += try await expectation.failures(output)
            } catch {
                found.append("\(error)")
            }
            if !found.isEmpty, output.outcome.status != 0 { break }
        }
        return found
    }

    /// Holds if all expectations of one of the lists hold.
    static func either(_ choices: [FaultExpectation]...) -> FaultExpectation {
        FaultExpectation { output in
            var reasons: [String] = []
            for choice in choices {
                let found = await wrong(choice, output)
                if found.isEmpty { return [] }
                reasons.append(found.joined(separator: ", "))
            }
            return ["neither of: " + reasons.joined(separator: " / ")]
        }
    }

    private static func failure(_ message: String, unless isRight: Bool) -> [String] { isRight ? [] : [message] }
}

// MARK: - Exit

extension FaultExpectation {
    /// An output that the program verified.
    static let made = FaultExpectation { output in
        failure(
            "not made: \(output.outcome)",
            unless: output.outcome.status == 0 && output.outcome.text.contains("checks passed")
                && output.manifest != nil)
    }

    /// A plan.
    static let planned = FaultExpectation { output in
        let version = try output.plan().version
        return failure("not planned: \(output.outcome)", unless: output.outcome.status == 0 && version > 0)
    }

    /// Exit code 65, a message with the file's name and one of the reasons, and no output.
    static func refused(_ reasons: String...) -> FaultExpectation {
        FaultExpectation { output in
            let errors = output.outcome.errors.lowercased()
            let name = (output.source as NSString).lastPathComponent.lowercased()
            let isTold = reasons.isEmpty || reasons.contains { errors.contains($0.lowercased()) }
            let isPublished = FileManager.default.fileExists(atPath: output.folder + "/master.m3u8")
            var found = failure("not refused with 65: \(output.outcome)", unless: output.outcome.status == 65)
            found += failure("the message lacks file or reason: \(errors)", unless: errors.contains(name) && isTold)
            found += failure("there is an output", unless: !isPublished)
            return found
        }
    }

    /// A warning of this kind in `clairo.json`.
    static func warning(_ code: MediaWarning.Code, containing text: String = "") -> FaultExpectation {
        FaultExpectation { output in
            let found = output.warnings.contains {
                $0.code == code && (text.isEmpty || $0.message.lowercased().contains(text.lowercased()))
            }
            let all = output.warnings.map { "\($0.code.rawValue): \($0.message)" }
            return failure("no warning \(code.rawValue) \(text) in \(all)", unless: found)
        }
    }

    /// Any warning in `clairo.json`.
    static let warned = FaultExpectation { failure("no warning", unless: !$0.warnings.isEmpty) }
}

// MARK: - Frames

extension FaultExpectation {
    /// The frames show these numbers, each once. The first may be held until the video begins, and the last while audio
    /// continues, for a number of frames. Before the video there may also be black frames, which show 0.
    static func frames(_ numbers: Range<Int>, heldAtStart: Int = 0, heldAtEnd: Int = 2) -> FaultExpectation {
        FaultExpectation { output in
            var found = try await NumberedFrames(output.film()).numbers[...]
            for _ in 0..<heldAtStart {
                let next = found.dropFirst().first
                guard found.first == next || found.first == 0, next == 0 || next == numbers.first else { break }
                found.removeFirst()
            }
            for _ in 0..<heldAtEnd where found.count > 1 && found.last == found.dropLast().last { found.removeLast() }
            return differences(Array(found), Array(numbers))
        }
    }

    /// The frames show these numbers in this order, each for some time.
    static func shows(_ numbers: Range<Int>) -> FaultExpectation {
        FaultExpectation { output in
            differences(try await NumberedFrames(output.film()).shown, Array(numbers))
        }
    }

    private static func differences(_ found: [Int], _ expected: [Int]) -> [String] {
        guard found != expected else { return [] }
        let missing = Set(expected).subtracting(found).sorted()
        let place = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }
        let first = place.map { "frame \($0.offset) shows \($0.element.0) instead of \($0.element.1)" }
        return [
            "\(found.count) frames instead of \(expected.count), \(missing.count) missing \(missing.prefix(5)); "
                + (first ?? "the beginning is right")
        ]
    }

    /// The number of frames in the output.
    static func frameCount(_ range: ClosedRange<Int>) -> FaultExpectation {
        FaultExpectation { output in
            let count = try await NumberedFrames(output.film()).numbers.count
            return failure("\(count) frames", unless: range.contains(count))
        }
    }

    /// Frames per second, up to the difference between 30 and 30000/1001.
    static func rate(_ expected: Double) -> FaultExpectation {
        FaultExpectation { output in
            let rate = try output.video().grid.frameRate.doubleValue
            return failure("\(rate) frames per second", unless: abs(rate - expected) < 0.1)
        }
    }

    /// The duration of the whole output in seconds, within two frames.
    static func lasts(_ seconds: Double) -> FaultExpectation {
        FaultExpectation { output in
            let duration = try output.plan().duration.doubleValue
            return failure("it lasts \(duration) s", unless: abs(duration - seconds) <= 0.1)
        }
    }

    /// The size of the largest rung.
    static func size(_ width: Int, _ height: Int) -> FaultExpectation {
        FaultExpectation { output in
            let sizes = try output.video().rungs.map(\.size)
            let expected = FrameSize(width: width, height: height)
            return failure("the rungs are \(sizes)", unless: sizes.first == expected)
        }
    }

    /// The short side of the largest rung.
    static func ladder(of lines: Int) -> FaultExpectation {
        FaultExpectation { output in
            let names = try output.video().rungs.map(\.id)
            return failure("the rungs are \(names)", unless: names.first == "\(lines)p")
        }
    }

    /// No planned rung is larger, or has more macroblocks per second, than H.264 level 5.2 allows (ITU-T H.264, table
    /// A-1), or is larger than 4096 pixels.
    static let rungsWithinLevel52 = FaultExpectation { output in
        let video = try output.video()
        return video.rungs.flatMap { rung -> [String] in
            let blocks = (rung.size.width + 15) / 16 * ((rung.size.height + 15) / 16)
            let perSecond = Double(blocks) * video.grid.frameRate.doubleValue
            let isWithin = blocks <= 36_864 && perSecond <= 2_073_600 && max(rung.size.width, rung.size.height) <= 4096
            return failure("the rung \(rung.id) is too large", unless: isWithin)
        }
    }

    /// The level in the codec string of every rung is at most 5.2.
    static let levelsUpTo52 = FaultExpectation { output in
        let codecs = output.manifest?.renditions.filter { $0.kind == .video }.map(\.codec) ?? []
        let isWithin = codecs.allSatisfy { (Int($0.suffix(2), radix: 16) ?? 255) <= 52 }
        return failure("the codecs are \(codecs)", unless: !codecs.isEmpty && isWithin)
    }
}

// MARK: - Picture

extension FaultExpectation {
    /// White, grey, red and green; blue, yellow, skin and teal.
    static let palette: [[Double]] = [
        [255, 255, 255], [128, 128, 128], [255, 0, 0], [0, 255, 0],
        [0, 0, 255], [255, 255, 0], [200, 120, 90], [0, 128, 128],
    ]

    /// The patches of every rung have these colours within 3 of 255, in frames with these indexes.
    static func patches(
        _ colors: [[Double]] = palette, columns: Int = 4, rows: Int = 2, frames: [Int]
    ) -> FaultExpectation {
        FaultExpectation { output in
            var found: [String] = []
            for film in try output.films() {
                let decoded = try await DecodedFrames(film, frames: frames)
                found += failure("\(decoded.count) frames in \(film)", unless: decoded.count == frames.count)
                for index in 0..<decoded.count {
                    let shown = try decoded.colors(ofFrame: index, columns: columns, rows: rows)
                    for (color, expected) in zip(shown, colors)
                    where zip(color, expected).contains(where: { abs($0 - $1) > 3 }) {
                        found.append("\(color.map { $0.rounded() }) instead of \(expected) in frame \(frames[index])")
                    }
                }
            }
            return found
        }
    }

    /// Every rung has this matrix, in ffprobe's words.
    static func tagged(_ matrix: String) -> FaultExpectation {
        FaultExpectation { output in
            var found: [String] = []
            for film in try output.films() {
                let tag = try await DecodedFrames(film, frames: [0]).matrix
                found += failure("\(film) is tagged \(tag)", unless: tag == matrix)
            }
            return found
        }
    }

    /// In these frames white of 203 cd/m² (ITU-R BT.2408) is about 215, and white and grey are neutral. Of tone-mapped
    /// patches no more is known than that colours keep their order.
    static func toneMapped(frames: [Int]) -> FaultExpectation {
        FaultExpectation { output in
            let decoded = try await DecodedFrames(output.film(), frames: frames)
            var found = failure("\(decoded.count) frames", unless: decoded.count == frames.count)
            for index in 0..<decoded.count {
                let colors = try decoded.colors(ofFrame: index, columns: 4, rows: 2)
                let isNeutral = colors[0...1].allSatisfy { ($0.max() ?? 0) - ($0.min() ?? 0) <= 3 }
                let isRed = colors[2][0] > 2 * max(colors[2][1], colors[2][2])
                let isRight = isNeutral && isRed && abs(colors[0][1] - 215) <= 15
                found += failure("frame \(frames[index]) shows \(colors)", unless: isRight)
            }
            return found
        }
    }

    /// The third patch is red.
    static let redStaysRed = FaultExpectation { output in
        let colors = try await DecodedFrames(output.film(), frames: [2]).colors(ofFrame: 0, columns: 4, rows: 2)
        let isRed = colors[2][0] > 2 * max(colors[2][1], colors[2][2])
        return failure("red is \(colors[2])", unless: isRed)
    }

    /// The bright circle is as wide as high in every frame.
    static let roundCircle = FaultExpectation { output in
        let decoded = try await DecodedFrames(output.film())
        return stride(from: 0, to: decoded.count, by: 4).flatMap { index -> [String] in
            let area = decoded.brightArea(ofFrame: index)
            let isRound = area.width > 20 && abs(area.width - area.height) <= max(2, area.height / 40)
            return failure("the circle of frame \(index) is \(area)", unless: isRound)
        }
    }

    /// No frame shows two fields at once.
    static let noCombing = FaultExpectation { output in
        let decoded = try await DecodedFrames(output.film())
        let combed = (0..<decoded.count).filter { decoded.combing(ofFrame: $0) > 0.002 }
        let isRight = decoded.count > 0 && combed.isEmpty
        return failure("frames \(combed.prefix(10)) of \(decoded.count) are combed", unless: isRight)
    }

    /// The first and last rows are dark in the first frame.
    static let darkEdges = FaultExpectation { output in
        let decoded = try await DecodedFrames(output.film(), frames: [0])
        let rows = [0, 1, decoded.height - 2, decoded.height - 1]
        let brightness = rows.map { decoded.brightness(ofFrame: 0, row: $0) }
        return failure("the edges have \(brightness)", unless: brightness.allSatisfy { $0 < 80 })
    }

    /// Frames of one grey follow one another: these values of 255, within 6.
    static func greys(_ expected: [Double]) -> FaultExpectation {
        FaultExpectation { output in
            let decoded = try await DecodedFrames(output.film())
            var shown: [Double] = []
            for index in 0..<decoded.count {
                let grey = try decoded.colors(ofFrame: index, columns: 1, rows: 1)[0][1]
                if shown.last.map({ abs($0 - grey) > 6 }) ?? true { shown.append(grey) }
            }
            let isRight = shown.count == expected.count && zip(shown, expected).allSatisfy { abs($0 - $1) <= 6 }
            return failure("the greys are \(shown)", unless: isRight)
        }
    }

    /// The PSNR of these frames against the source is at least so many dB.
    static func similar(frames: Range<Int>, atLeast decibels: Double, rate: String) -> FaultExpectation {
        FaultExpectation { output in
            let all = try await Oracle.similarity(output.film(), to: output.source, rate: rate)
            let found = all.count >= frames.upperBound ? all[frames].min() ?? 0 : 0
            return failure("\(found) dB at worst in \(all.count) frames", unless: found >= decibels)
        }
    }
}

// MARK: - Audio

extension FaultExpectation {
    /// There is audio.
    static let sound = FaultExpectation { output in
        failure("no audio", unless: try await !output.samples()[0].isEmpty)
    }

    /// The duration of the audio in seconds.
    static func soundLasts(_ seconds: Double) -> FaultExpectation {
        FaultExpectation { output in
            let found = Double(try await output.samples()[0].count) / 48_000
            return failure("the audio lasts \(found) s", unless: abs(found - seconds) <= 0.06)
        }
    }

    /// There are this many flashes, and each ends together with a beep, within a frame. The number of beeps is the same
    /// unless given.
    static func inStep(_ flashes: Int, beeps: ClosedRange<Int>? = nil) -> FaultExpectation {
        FaultExpectation { output in
            let frame = 1 / (try output.video().grid.frameRate.doubleValue)
            let flashEnds = try await NumberedFrames(output.film()).endsOfFlashes.map { Double($0) * frame }
            let beepEnds = ToneAnalysis.endsOfBeeps(in: try await output.samples()[0])
            let range = beeps ?? flashes...flashes
            let alone = flashEnds.filter { flash in !beepEnds.contains { abs($0 - flash) <= frame + 0.002 } }
            let times = "flashes end at \(flashEnds), beeps at \(beepEnds)"
            let isRight = flashEnds.count == flashes && range.contains(beepEnds.count) && alone.isEmpty
            return failure(times, unless: isRight)
        }
    }

    /// Nothing is heard in this range of seconds.
    static func silent(_ range: Range<Double>) -> FaultExpectation {
        FaultExpectation { output in
            let samples = try await output.samples()[0]
            let places = Int(range.lowerBound * 48_000)..<Int(range.upperBound * 48_000)
            let peak = samples[places.clamped(to: samples.indices)].map { abs($0) }.max() ?? 0
            return failure("the peak in \(range) is \(peak)", unless: peak < 0.01)
        }
    }

    /// Each channel is a tone of this frequency.
    static func tones(_ hertz: [Double]) -> FaultExpectation {
        FaultExpectation { output in
            let channels = try await output.samples()
            let shares = zip(channels, hertz).map { ToneAnalysis.share(of: $1, in: $0) }
            let isRight = channels.count == hertz.count && shares.allSatisfy { $0 > 0.8 }
            return failure("\(channels.count) channels, shares of \(hertz) are \(shares)", unless: isRight)
        }
    }

    /// A tone of this frequency is part of every channel.
    static func hears(_ hertz: Double) -> FaultExpectation {
        FaultExpectation { output in
            let shares = try await output.samples().map { ToneAnalysis.share(of: hertz, in: $0) }
            return failure("shares of \(hertz) Hz are \(shares)", unless: shares.allSatisfy { $0 > 0.1 })
        }
    }

    /// A tone that never breaks.
    static func continuous(_ hertz: Double) -> FaultExpectation {
        FaultExpectation { output in
            let breaks = ToneAnalysis.breaks(of: hertz, in: try await output.samples()[0])
            return failure("the tone breaks at \(breaks.prefix(10))", unless: breaks.isEmpty)
        }
    }

    /// All samples are numbers, and not far beyond full scale: lossy coding of a square wave overshoots by up to 12 dB.
    static let withinFullScale = FaultExpectation { output in
        let samples = try await output.samples().flatMap { $0 }
        let isRight = samples.allSatisfy { $0.isFinite && abs($0) <= 4 }
        return failure("samples are beyond full scale", unless: isRight)
    }
}
