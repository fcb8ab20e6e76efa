/// The version that `clairo --version` prints, and that outputs and metrics name.
public let clairoVersion = "0.1.0"
