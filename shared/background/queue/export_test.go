package queue

// Earlier is earlier, for the tests.
var Earlier = earlier
