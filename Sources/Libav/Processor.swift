internal import CFFmpeg

/// The processor features that libav detected.
public enum Processor {
    /// Whether this processor has AVX-512.
    public static var hasAVX512: Bool {
        #if arch(x86_64)
            av_get_cpu_flags() & AV_CPU_FLAG_AVX512 != 0
        #else
            false
        #endif
    }
}
