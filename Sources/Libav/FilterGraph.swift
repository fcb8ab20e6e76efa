internal import CFFmpeg

/// A filter graph with one input and any number of outputs named `out0`, `out1`, …
///
/// Its description is made from numbers, never from untrusted text. Not Sendable: one thread at a time.
public final class FilterGraph {
    private var graph: UnsafeMutablePointer<AVFilterGraph>?
    private let source: UnsafeMutablePointer<AVFilterContext>
    private var sinks: [UnsafeMutablePointer<AVFilterContext>] = []

    /// A graph for frames like `first`; `description` reads from `[in]` and writes to `[out0]`….
    public init(video description: String, like first: Frame, timeBase: Ratio, outputs: Int) throws(AVError) {
        LogTap.install
        let frame = first.pointer.pointee
        let aspect =
            frame.sample_aspect_ratio.num > 0 && frame.sample_aspect_ratio.den > 0
            ? frame.sample_aspect_ratio : AVRational(num: 1, den: 1)
        (graph, source) = try Self.makeGraph { graph, source in
            clairo_graph_add_video_source(graph, first.pointer, aspect, timeBase.av, &source)
        }
        do {
            try connect(description, sink: "buffersink", outputs: outputs)
        } catch {
            avfilter_graph_free(&graph)
            throw error
        }
    }

    /// A graph for audio like `first`, which has a layout in libav's native order, or none.
    public init(audio description: String, like first: Frame, timeBase: Ratio) throws(AVError) {
        LogTap.install
        var layout = first.pointer.pointee.ch_layout
        if layout.order == AV_CHANNEL_ORDER_UNSPEC { av_channel_layout_default(&layout, layout.nb_channels) }
        guard let format = av_get_sample_fmt_name(AVSampleFormat(rawValue: first.format)) else { throw .invalidData }
        // libav does not parse its own names of unusual layouts.
        let mask = clairo_layout_mask(&layout)
        let channels =
            mask != 0 ? "channel_layout=0x\(String(mask, radix: 16))" : "channels=\(layout.nb_channels)"
        let arguments =
            "sample_rate=\(first.sampleRate):sample_fmt=\(String(cString: format)):\(channels)"
            + ":time_base=\(timeBase.num)/\(timeBase.den)"
        (graph, source) = try Self.makeGraph { graph, source in
            avfilter_graph_create_filter(&source, avfilter_get_by_name("abuffer"), "in", arguments, nil, graph)
        }
        do {
            try connect(description, sink: "abuffersink", outputs: 1)
        } catch {
            avfilter_graph_free(&graph)
            throw error
        }
    }

    deinit { avfilter_graph_free(&graph) }

    private static func makeGraph(
        adding addSource: (UnsafeMutablePointer<AVFilterGraph>, inout UnsafeMutablePointer<AVFilterContext>?) -> CInt
    ) throws(AVError) -> (UnsafeMutablePointer<AVFilterGraph>, UnsafeMutablePointer<AVFilterContext>) {
        let graph = try checkAllocated(avfilter_graph_alloc())
        graph.pointee.nb_threads = 1
        var source: UnsafeMutablePointer<AVFilterContext>?
        let result = addSource(graph, &source)
        guard result >= 0, let source else {
            var unused: UnsafeMutablePointer<AVFilterGraph>? = graph
            avfilter_graph_free(&unused)
            throw AVError(result)
        }
        return (graph, source)
    }

    private func connect(_ description: String, sink kind: String, outputs: Int) throws(AVError) {
        // From the description's side, the source is an open output and the sinks are open inputs.
        var openOutputs = avfilter_inout_alloc()
        var openInputs: UnsafeMutablePointer<AVFilterInOut>?
        defer {
            avfilter_inout_free(&openOutputs)
            avfilter_inout_free(&openInputs)
        }
        guard let output = openOutputs else { throw .outOfMemory }
        output.pointee.name = av_strdup("in")
        output.pointee.filter_ctx = source
        for index in (0..<outputs).reversed() {
            var sink: UnsafeMutablePointer<AVFilterContext>?
            try check(
                avfilter_graph_create_filter(&sink, avfilter_get_by_name(kind), "out\(index)", nil, nil, graph))
            guard let sink, let input = avfilter_inout_alloc() else { throw .outOfMemory }
            sinks.insert(sink, at: 0)
            input.pointee.name = av_strdup("out\(index)")
            input.pointee.filter_ctx = sink
            input.pointee.next = openInputs
            openInputs = input
        }
        try check(avfilter_graph_parse_ptr(graph, description, &openInputs, &openOutputs, nil))
        try check(avfilter_graph_config(graph, nil))
    }

    /// The time base of an output's frames.
    public func timeBase(output: Int) -> Ratio { Ratio(av_buffersink_get_time_base(sinks[output])) }

    /// Sends a frame with its time, or nil at the end.
    public func push(_ frame: Frame?, pts: Int64 = 0) throws(AVError) {
        guard let frame else {
            try check(av_buffersrc_add_frame_flags(source, nil, 0))
            return
        }
        var scratch = av_frame_alloc()
        guard let reference = scratch else { throw .outOfMemory }
        defer { av_frame_free(&scratch) }
        try check(av_frame_ref(reference, frame.pointer))
        reference.pointee.pts = pts
        if reference.pointee.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC, reference.pointee.nb_samples > 0 {
            av_channel_layout_default(&reference.pointee.ch_layout, reference.pointee.ch_layout.nb_channels)
        }
        try check(av_buffersrc_add_frame_flags(source, reference, 0))
    }

    /// Receives the next frame of an output, if one is available.
    public func pull(output: Int = 0) throws(AVError) -> Output<Frame> {
        let frame = try checkAllocated(av_frame_alloc())
        let result = av_buffersink_get_frame(sinks[output], frame)
        if result >= 0 {
            frame.pointee.best_effort_timestamp = frame.pointee.pts
            return .value(Frame(adopting: frame))
        }
        var unused: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&unused)
        if result == clairo_averror_eagain { return .needsInput }
        if result == clairo_averror_eof { return .drained }
        throw AVError(result)
    }
}
