internal import ArgumentParser
internal import ClairoMedia

/// Limits on a source.
struct LimitOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Largest frame size, in pixels.", valueName: "count"))
    var maxPixels: Int64 = InputLimits().maxPixels

    @Option(help: ArgumentHelp("Largest number of video and audio streams in a file.", valueName: "count"))
    var maxStreams: Int = InputLimits().maxStreams

    @Option(help: ArgumentHelp("Largest number of frames in a source.", valueName: "count"))
    var maxFrames: Int = InputLimits().maxFrames

    @Option(help: ArgumentHelp("Longest output, in seconds.", valueName: "seconds"))
    var maxDuration: Double = InputLimits().maxDuration

    @Option(
        name: .customLong("max-cpu-hours"),
        help: ArgumentHelp("Highest predicted CPU time of a job, in hours.", valueName: "hours"))
    var maxCPUHours: Double = InputLimits().maxCPUHours

    @Option(
        help: ArgumentHelp(
            "Longest gap without any packets, in seconds. After a longer one, parts are joined.", valueName: "seconds"))
    var maxGap: Double = InputLimits().maxGap

    @Option(help: ArgumentHelp("Bytes to read to detect the format of a file.", valueName: "bytes"))
    var probeSize: Int64 = InputLimits().probeBytes

    func validate() throws {
        let areAboveZero = maxPixels > 0 && maxStreams > 0 && maxFrames > 0 && maxDuration > 0 && maxCPUHours > 0
        guard areAboveZero, maxGap > 0, probeSize >= 4096 else {
            throw ValidationError("Limits must be above zero, and --probe-size at least 4096.")
        }
    }

    var limits: InputLimits {
        InputLimits(
            maxPixels: maxPixels, maxStreams: maxStreams, maxFrames: maxFrames, maxDuration: maxDuration,
            probeBytes: probeSize, maxCPUHours: maxCPUHours, maxGap: maxGap)
    }
}
