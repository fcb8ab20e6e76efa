import Testing

@testable import ClairoCommands

@Suite struct MisspellingTests {
    @Test(arguments: [
        ("CLAIRO_DATABSE", "CLAIRO_DATABASE"), ("CLAIRO_RAWSTORE", "CLAIRO_RAW_STORE"),
        ("CLAIRO_QUEEU", "CLAIRO_QUEUE"), ("CLAIRO_OUTPUT_STOR", "CLAIRO_OUTPUT_STORE"),
        ("CLAIROHOME", "CLAIRO_HOME"),
    ])
    func aNameThatIsAlmostASettingIsFound(name: String, setting: String) {
        let found = Misspelling.find(in: [name, "PATH", "CLAIRO_DATABASE"])
        #expect(found.map(\.name) == [name] && found.map(\.setting) == [setting])
    }

    /// Kubernetes sets some for a service with the name clairo.
    @Test(arguments: ["CLAIRO_SERVICE_HOST", "CLAIRO_PORT_8080_TCP_ADDR", "CLAIRO_TEST_KAFKA", "DATABASE", "CLAIR"])
    func anotherNameIsNotReported(name: String) { #expect(Misspelling.find(in: [name]).isEmpty) }

    @Test func noSettingIsReported() {
        #expect(Misspelling.find(in: Settings.Key.allCases.map(\.environmentName)).isEmpty)
    }

    @Test(arguments: [("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("kitten", "sitting", 3)])
    func theDistanceIsTheNumberOfErrors(one: String, other: String, distance: Int) {
        #expect(Misspelling.distance(one, other) == distance && Misspelling.distance(other, one) == distance)
    }
}
