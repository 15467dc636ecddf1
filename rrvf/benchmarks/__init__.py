"""The benchmarks of Tables 1 to 3, and pictures without true code: how replies are read, scored and averaged."""
