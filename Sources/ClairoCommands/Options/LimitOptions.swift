internal import ArgumentParser
internal import ClairoMedia

/// What a source has to keep to. Shown as a section of its own.
struct LimitOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Largest picture that is taken, in pixels.", valueName: "count"))
    var maxPixels: Int64 = InputLimits().maxPixels

    @Option(help: ArgumentHelp("Most streams that a file may have.", valueName: "count"))
    var maxStreams: Int = InputLimits().maxStreams

    @Option(help: ArgumentHelp("Most pictures that a source may have.", valueName: "count"))
    var maxFrames: Int = InputLimits().maxFrames

    @Option(help: ArgumentHelp("Longest output that is made, in seconds.", valueName: "seconds"))
    var maxDuration: Double = InputLimits().maxDuration

    @Option(help: ArgumentHelp("Bytes that are read to find out what is in a file.", valueName: "bytes"))
    var probeSize: Int64 = InputLimits().probeBytes

    func validate() throws {
        guard maxPixels > 0, maxStreams > 0, maxFrames > 0, maxDuration > 0, probeSize >= 4096 else {
            throw ValidationError("Limits must be above zero, and --probe-size at least 4096.")
        }
    }

    var limits: InputLimits {
        InputLimits(
            maxPixels: maxPixels, maxStreams: maxStreams, maxFrames: maxFrames, maxDuration: maxDuration,
            probeBytes: probeSize)
    }
}
