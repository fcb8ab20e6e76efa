import Testing

@testable import ClairoMedia

/// Which of several frames represents a video best.
@Suite struct PictureScoreTests {
    private static let (width, height) = (320, 180)

    /// The score of a picture whose luma is a function of the place.
    private static func score(_ luma: (_ x: Int, _ y: Int) -> Int) -> PictureScore {
        let rows = (0..<height).map { y in (0..<width).map { x in UInt8(clamping: luma(x, y)) } }
        return PictureScore(width: width, height: height) { rows[$0] }
    }

    /// Every value from a hash of the place, so that the picture has texture.
    private static func noise(_ x: Int, _ y: Int) -> Int { (x &* 7919 &+ y &* 104_729 &+ x &* y &* 31) % 64 }

    /// A scene: shades from left to right, with texture.
    private static func scene(contrast: Double = 1, brightness: Int = 0, texture: Double = 1) -> PictureScore {
        score { x, y in
            let value = Double(40 + x * 140 / width) + Double(noise(x, y) - 32) * texture
            return Int(126 + (value - 126) * contrast) + brightness
        }
    }

    private static let black = score { _, _ in 16 }
    private static let white = score { _, _ in 235 }
    private static let grey = score { _, _ in 120 }
    private static let noisyBlack = score { x, y in 16 + noise(x, y) / 16 }
    /// White letters on black.
    private static let titles = score { x, y in (60..<120).contains(y) && x % 10 < 3 ? 235 : 16 }

    @Test func aSceneIsBetterThanTitlesAndPlainPictures() {
        let scene = Self.scene().value
        for other in [Self.black, Self.white, Self.grey, Self.noisyBlack, Self.titles] {
            #expect(scene > 2 * other.value)
        }
    }

    @Test func aSharperPictureIsBetter() {
        let values = [0, 0.3, 0.6, 1].map { Self.scene(texture: $0).value }
        #expect(values == values.sorted() && Set(values).count == values.count)
    }

    @Test func aFadedOrBadlyExposedPictureIsWorse() {
        let scene = Self.scene().value
        for contrast in [0.1, 0.3, 0.6] { #expect(Self.scene(contrast: contrast).value < scene) }
        for brightness in [-110, -90, 80, 110] { #expect(Self.scene(brightness: brightness).value < scene) }
    }

    @Test func blackIsTheWorst() {
        for other in [Self.grey, Self.titles, Self.scene(brightness: -90)] { #expect(other.value > Self.black.value) }
        #expect(Self.noisyBlack.value < Self.grey.value)
    }

    @Test func picturesOfOneShadeArePlain() {
        for plain in [Self.black, Self.white, Self.grey, Self.noisyBlack] { #expect(plain.isPlain) }
        for picture in [Self.titles, Self.scene(), Self.scene(texture: 0)] { #expect(!picture.isPlain) }
    }

    @Test func ofEquallyGoodFramesTheEarlierIsChosen() {
        func better(_ a: Poster.Candidate?, _ b: Poster.Candidate) -> Int { Poster.Candidate.better(a, b).index }
        let scene = Poster.Candidate(index: 50, score: Self.scene())
        let later = Poster.Candidate(index: 100, score: Self.scene())
        let black = Poster.Candidate(index: 0, score: Self.black)
        #expect(better(nil, black) == 0)
        #expect(better(scene, later) == 50 && better(later, scene) == 50)
        #expect(better(black, later) == 100 && better(later, black) == 100)
    }

    @Test func aPictureTooSmallToMeasureIsPlain() {
        #expect(PictureScore(width: 2, height: 2) { _ in [16, 235] }.isPlain)
    }
}
